# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""tls_hosts: bodies; the story is in tls_hosts.pxd.

Floor      transport: may cimport ext.base, ext.stats, ext.loop.
Never      looks at a certificate: whoever fills the table says for which host it is.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, strlen

from ext.base.lower cimport lower_equals, lower_hash
from ext.transport.openssl cimport (
    CRYPTO_EX_DATA,
    SSL,
    SSL_CTX,
    SSL_AD_UNRECOGNIZED_NAME,
    SSL_TLSEXT_ERR_ALERT_FATAL,
    SSL_TLSEXT_ERR_OK,
    SSL_CTX_free,
    SSL_CTX_get_ex_new_index,
    SSL_CTX_set_ex_data,
    SSL_CTX_set_tlsext_servername_arg,
    SSL_CTX_set_tlsext_servername_callback,
    SSL_CTX_up_ref,
    SSL_get_servername,
    SSL_set_SSL_CTX,
    TLSEXT_NAMETYPE_host_name,
)
from ext.transport.tls_context cimport tls_bare_server_context

cdef enum:
    NAME_BYTES_MAX = 255     # of a host; OpenSSL lets no longer one through

cdef int owned = -1          # where a front keeps the table that it owns


cdef tls_hosts* tls_hosts_new(uint64_t count, SSL_CTX* default) noexcept nogil:
    """Room for that many hosts; NULL without memory."""
    cdef tls_hosts* h
    cdef uint64_t rows = 8
    while rows < 2 * count:
        rows *= 2
    h = <tls_hosts*>calloc(1, sizeof(tls_hosts) + sizeof(tls_host) * rows)
    if h is NULL:
        return NULL
    h.mask = rows - 1
    h.default = default
    if default is not NULL:
        SSL_CTX_up_ref(default)
    return h


cdef bint tls_hosts_put(tls_hosts* h, const char* name, size_t n, bint wild, SSL_CTX* context) noexcept nogil:
    """A name in lower case that is not in there yet; False without memory."""
    cdef uint64_t hash = lower_hash(name, n)
    cdef uint64_t i = hash & h.mask
    cdef char* kept = <char*>malloc(n + 1)
    if kept is NULL:
        return False
    while h.rows[i].name is not NULL:
        i = (i + 1) & h.mask
    memcpy(kept, name, n)
    SSL_CTX_up_ref(context)
    h.rows[i] = tls_host(hash=hash, context=context, name=kept, len=n, wild=wild)
    h.has_wild = h.has_wild or wild
    return True


cdef void tls_hosts_free(tls_hosts* h) noexcept nogil:
    cdef uint64_t i
    if h is NULL:
        return
    for i in range(h.mask + 1):
        if h.rows[i].name is not NULL:
            SSL_CTX_free(h.rows[i].context)
            free(h.rows[i].name)
    SSL_CTX_free(h.default)
    free(h)


cdef SSL_CTX* find(const tls_hosts* h, const char* name, size_t n, bint wild) noexcept nogil:
    cdef uint64_t hash = lower_hash(name, n)
    cdef uint64_t i = hash & h.mask
    cdef const tls_host* row = &h.rows[i]
    while row.name is not NULL:
        if row.hash == hash and row.len == n and row.wild == wild and lower_equals(name, row.name, n):
            return row.context
        i = (i + 1) & h.mask
        row = &h.rows[i]
    return NULL


cdef SSL_CTX* chosen(const tls_hosts* h, const char* name) noexcept nogil:
    """The context for that name; NULL: none, and there is no default."""
    cdef size_t n = 0 if name is NULL else strlen(name)
    cdef SSL_CTX* c = NULL
    cdef size_t i
    if n and n <= NAME_BYTES_MAX:
        c = find(h, name, n, False)
        if c is NULL and h.has_wild:
            # A star stands for one byte at least; the leftmost dot gives the longest suffix.
            for i in range(1, n):
                if name[i] == c'.':
                    c = find(h, name + i, n - i, True)
                    if c is not NULL:
                        return c
    return c if c is not NULL else h.default


cdef int on_name(SSL* s, int* alert, void* table) noexcept nogil:
    """OpenSSL has read the first message of a caller, whether it names a host or not."""
    cdef SSL_CTX* c = chosen(<const tls_hosts*>table, SSL_get_servername(s, TLSEXT_NAMETYPE_host_name))
    if c is NULL:
        alert[0] = SSL_AD_UNRECOGNIZED_NAME
        return SSL_TLSEXT_ERR_ALERT_FATAL
    SSL_set_SSL_CTX(s, c)
    return SSL_TLSEXT_ERR_OK


cdef void on_front_free(
    void* front, void* table, CRYPTO_EX_DATA* all, int index, long number, void* pointer
) noexcept nogil:
    tls_hosts_free(<tls_hosts*>table)


cdef SSL_CTX* tls_hosts_front(tls_hosts* h, int lowest, int highest) noexcept nogil:
    """What connections begin with. Takes the table, which is gone when there is no memory (NULL). Under the GIL."""
    global owned
    cdef SSL_CTX* c = tls_bare_server_context(lowest, highest)
    if owned < 0:
        owned = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_front_free)
    if c is NULL or owned < 0 or SSL_CTX_set_ex_data(c, owned, h) != 1:
        SSL_CTX_free(c)
        tls_hosts_free(h)
        return NULL
    SSL_CTX_set_tlsext_servername_callback(c, on_name)
    SSL_CTX_set_tlsext_servername_arg(c, h)
    return c
