# cython: language_level=3
"""certificates: TLS contexts, made from plain values (see certificates.pyx)."""


cdef class TlsContext:
    cdef void* context             # shares: an SSL_CTX, counted by OpenSSL
    cdef readonly tuple unknown_groups


cdef class TlsClientContext:
    cdef void* context             # shares: an SSL_CTX, counted by OpenSSL
