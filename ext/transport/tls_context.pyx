# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""tls_context: bodies; the story is in tls_context.pxd.

Floor      transport: may cimport ext.base, ext.stats, ext.loop.
Takes      what a certificate file and a configuration say, as bytes.
Gives      an SSL_CTX, or the reason why there can be none.
Never      reads a file, or asks a terminal for a password.

Who may write
    a context   whoever makes it, until it is handed out; then nobody
"""

from libc.stdio cimport snprintf
from libc.string cimport memcmp

from ext.base.result cimport OK
from ext.base.span cimport span
from ext.transport.openssl cimport (
    BIO,
    EVP_PKEY,
    SSL,
    SSL_CTX,
    SSL_MODE_RELEASE_BUFFERS,
    SSL_OP_CIPHER_SERVER_PREFERENCE,
    SSL_OP_IGNORE_UNEXPECTED_EOF,
    SSL_OP_NO_COMPRESSION,
    SSL_OP_NO_RENEGOTIATION,
    SSL_OP_PRIORITIZE_CHACHA,
    SSL_SESS_CACHE_OFF,
    SSL_TLSEXT_ERR_ALERT_FATAL,
    SSL_TLSEXT_ERR_OK,
    SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    SSL_VERIFY_NONE,
    SSL_VERIFY_PEER,
    X509,
    X509_STORE,
    BIO_free,
    BIO_new_mem_buf,
    ERR_clear_error,
    ERR_peek_last_error,
    ERR_reason_error_string,
    EVP_PKEY_free,
    PEM_read_bio_PrivateKey,
    PEM_read_bio_X509,
    SSL_CTX_add1_chain_cert,
    SSL_CTX_add_client_CA,
    SSL_CTX_check_private_key,
    SSL_CTX_free,
    SSL_CTX_get_cert_store,
    SSL_CTX_new,
    SSL_CTX_set1_groups_list,
    SSL_CTX_set_alpn_select_cb,
    SSL_CTX_set_cipher_list,
    SSL_CTX_set_max_proto_version,
    SSL_CTX_set_min_proto_version,
    SSL_CTX_set_mode,
    SSL_CTX_set_num_tickets,
    SSL_CTX_set_options,
    SSL_CTX_set_read_ahead,
    SSL_CTX_set_session_cache_mode,
    SSL_CTX_set_session_id_context,
    SSL_CTX_set_verify,
    SSL_CTX_use_certificate,
    SSL_CTX_use_PrivateKey,
    TLS_client_method,
    TLS_server_method,
    X509_free,
    X509_STORE_add_cert,
)
from ext.transport.tls cimport tls_ready

# The suites that Go offers for TLS 1.2: forward secrecy, authenticated encryption first (RFC 9325 4.2).
cdef const char* SUITES = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
)


cdef bint refuse(char* why, const char* what) noexcept nogil:
    """Writes "what: OpenSSL's reason" and empties its queue. Always False."""
    cdef const char* reason = ERR_reason_error_string(ERR_peek_last_error())
    if reason is NULL:
        reason = b"cannot be used"
    snprintf(why, TLS_WHY_MAX, b"%s: %s", what, reason)
    ERR_clear_error()
    return False


cdef int no_password(char* at, int n, int writes, void* data) noexcept nogil:
    """A key with a password is refused, as nobody is there to type it."""
    return -1


cdef bint use_certificate(SSL_CTX* c, span pem, char* why) noexcept nogil:
    cdef BIO* source = BIO_new_mem_buf(pem.at, <int>pem.len)
    cdef X509* one = PEM_read_bio_X509(source, NULL, no_password, NULL)
    cdef bint good = one is not NULL and SSL_CTX_use_certificate(c, one) == 1
    X509_free(one)
    while good:
        one = PEM_read_bio_X509(source, NULL, no_password, NULL)
        if one is NULL:
            break
        good = SSL_CTX_add1_chain_cert(c, one) == 1
        X509_free(one)
    BIO_free(source)
    if not good:
        return refuse(why, b"certificate")
    ERR_clear_error()
    return True


cdef bint use_key(SSL_CTX* c, span pem, char* why) noexcept nogil:
    cdef BIO* source = BIO_new_mem_buf(pem.at, <int>pem.len)
    cdef EVP_PKEY* key = PEM_read_bio_PrivateKey(source, NULL, no_password, NULL)
    cdef bint good = key is not NULL and SSL_CTX_use_PrivateKey(c, key) == 1 and SSL_CTX_check_private_key(c) == 1
    EVP_PKEY_free(key)
    BIO_free(source)
    return True if good else refuse(why, b"key")


cdef bint trust(SSL_CTX* c, span pem, bint of_callers, char* why) noexcept nogil:
    """Believes what these sign; a server tells its callers their names."""
    cdef BIO* source = BIO_new_mem_buf(pem.at, <int>pem.len)
    cdef X509_STORE* store = SSL_CTX_get_cert_store(c)
    cdef X509* one
    cdef int count = 0
    while True:
        one = PEM_read_bio_X509(source, NULL, no_password, NULL)
        if one is NULL:
            break
        count += X509_STORE_add_cert(store, one)
        if of_callers:
            SSL_CTX_add_client_CA(c, one)
        X509_free(one)
    BIO_free(source)
    if count == 0:
        return refuse(why, b"authority")
    ERR_clear_error()
    return True


cdef int choose_protocol(
    SSL* s, const unsigned char** chosen, unsigned char* n, const unsigned char* offer, unsigned int offered, void* data
) noexcept nogil:
    """ALPN: h2 before http/1.1, and neither is refused (RFC 7301 3.2)."""
    cdef unsigned int at = 0
    cdef int result = SSL_TLSEXT_ERR_ALERT_FATAL
    while at < offered:
        if offer[at] == 2 and memcmp(offer + at + 1, b"h2", 2) == 0:
            chosen[0] = offer + at + 1
            n[0] = 2
            return SSL_TLSEXT_ERR_OK
        if offer[at] == 8 and memcmp(offer + at + 1, b"http/1.1", 8) == 0:
            chosen[0] = offer + at + 1
            n[0] = 8
            result = SSL_TLSEXT_ERR_OK
        at += 1 + <unsigned int>offer[at]
    return result


cdef void set_memory(SSL_CTX* c) noexcept nogil:
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS)   # an idle connection holds none
    SSL_CTX_set_read_ahead(c, 1)                    # one recv(2) a record, and not one more for its header
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF)


cdef SSL_CTX* tls_bare_server_context(int lowest, int highest) noexcept nogil:
    """For accepted connections, without a certificate; NULL without memory."""
    cdef SSL_CTX* c = SSL_CTX_new(TLS_server_method())
    if c is NULL or tls_ready() != OK:
        SSL_CTX_free(c)
        return NULL
    set_memory(c)
    SSL_CTX_set_options(
        c,
        SSL_OP_NO_RENEGOTIATION
        | SSL_OP_NO_COMPRESSION
        | SSL_OP_CIPHER_SERVER_PREFERENCE
        | SSL_OP_PRIORITIZE_CHACHA
        | SSL_OP_IGNORE_UNEXPECTED_EOF,   # a request says its length, so a cut one is seen without close_notify
    )
    SSL_CTX_set_num_tickets(c, 1)   # one is enough to resume; OpenSSL's two cost every handshake another
    SSL_CTX_set_min_proto_version(c, lowest)
    SSL_CTX_set_max_proto_version(c, highest)
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL)
    return c


cdef SSL_CTX* tls_server_context(const tls_wishes* w, char* why) noexcept nogil:
    """For accepted connections; NULL, and `why` of TLS_WHY_MAX bytes, when a wish cannot be met."""
    cdef SSL_CTX* c = tls_bare_server_context(w.lowest, w.highest)
    cdef bint good
    if c is NULL:
        refuse(why, b"OpenSSL")
        return NULL
    good = SSL_CTX_set_cipher_list(c, w.ciphers if w.ciphers[0] else SUITES) == 1 or refuse(why, b"ciphers")
    good = good and use_certificate(c, w.cert, why) and use_key(c, w.key, why)
    if good and w.callers != CALLERS_ANY:
        SSL_CTX_set_session_id_context(c, <const unsigned char*>b"penstock", 8)
        SSL_CTX_set_verify(
            c,
            SSL_VERIFY_PEER | (SSL_VERIFY_FAIL_IF_NO_PEER_CERT if w.callers == CALLERS_REQUIRED else 0),
            NULL,
        )
        good = trust(c, w.authority, True, why)
    if not good:
        SSL_CTX_free(c)
        return NULL
    return c


cdef SSL_CTX* tls_client_context(const tls_wishes* w, char* why) noexcept nogil:
    """For our own connections. Without an authority nothing is verified, as a readiness probe asks for.

    Of the wishes: authority, lowest, highest. NULL, and `why`, when they cannot be met.
    """
    cdef SSL_CTX* c = SSL_CTX_new(TLS_client_method())
    if c is NULL or tls_ready() != OK:
        refuse(why, b"OpenSSL")
        SSL_CTX_free(c)
        return NULL
    set_memory(c)
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION)
    SSL_CTX_set_min_proto_version(c, w.lowest)
    SSL_CTX_set_max_proto_version(c, w.highest)
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER if w.authority.len else SSL_VERIFY_NONE, NULL)
    if w.authority.len and not trust(c, w.authority, False, why):
        SSL_CTX_free(c)
        return NULL
    return c


cdef bint tls_use_groups(SSL_CTX* c, const char* names) noexcept nogil:
    """Groups for key exchange, by ":", in order of preference; False when this OpenSSL does not know one."""
    cdef bint known = SSL_CTX_set1_groups_list(c, names) == 1
    ERR_clear_error()
    return known
