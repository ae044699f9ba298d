# cython: language_level=3
"""certificates: TLS contexts, made from plain values (see certificates.pyx)."""

from ext.tls_door cimport TlsDoor


cdef class TlsContext(TlsDoor):
    cdef readonly tuple unknown_groups


cdef class TlsHosts(TlsDoor):
    pass


cdef class TlsClientContext:
    cdef void* context             # shares: an SSL_CTX, counted by OpenSSL
