# cython: language_level=3
"""tls_door: what the engine must know of a TLS context without loading OpenSSL."""

from ext.transport.transport cimport tls_entry


cdef class TlsDoor:
    """A context, and how an accepted connection begins with it.

    Ownership
        entry.context  shares  OpenSSL's; the class that fills it releases it
    """
    cdef tls_entry entry
