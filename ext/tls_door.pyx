# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""tls_door: the seam between the engine's object and the one that holds OpenSSL.

Floor      a door: may cimport ext.base and ext.transport.
"""


cdef class TlsDoor:
    """Made only as ext.certificates.TlsContext."""
