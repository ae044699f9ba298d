# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""tls_peer: bodies; the story is in tls_peer.pxd.

Floor      testing: imported by tests only.
Never      leaves an error in OpenSSL's queue, which the engine's side shares.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memset

from ext.transport.openssl cimport (
    BIO,
    BIO_METHOD,
    EVP_PKEY,
    SSL,
    SSL_CTX,
    SSL_ERROR_WANT_READ,
    SSL_ERROR_WANT_WRITE,
    SSL_ERROR_ZERO_RETURN,
    SSL_SESS_CACHE_OFF,
    TLS1_2_VERSION,
    TLS1_3_VERSION,
    X509,
    BIO_free,
    BIO_new,
    ERR_clear_error,
    SSL_CTX_new,
    SSL_CTX_set_session_cache_mode,
    SSL_CTX_use_certificate,
    SSL_CTX_use_PrivateKey,
    SSL_do_handshake,
    SSL_free,
    SSL_get_error,
    SSL_new,
    SSL_read,
    SSL_set_accept_state,
    SSL_set_bio,
    SSL_set_connect_state,
    SSL_shutdown,
    SSL_write,
    TLS_client_method,
    TLS_server_method,
)
from ext.transport.tls_context cimport CALLERS_ANY, TLS_WHY_MAX, tls_client_context, tls_server_context, tls_wishes

cdef extern from "<openssl/bio.h>" nogil:
    const BIO_METHOD* BIO_s_mem()
    int BIO_write(BIO* b, const void* at, int n)
    int BIO_read(BIO* b, void* at, int n)
    long BIO_get_mem_data(BIO* b, char** at)

cdef extern from "<openssl/rand.h>" nogil:
    # Deprecated for providers, which cannot be taken back; this can.
    ctypedef struct RAND_METHOD:
        int (*bytes)(unsigned char* at, int n) noexcept nogil
        int (*pseudorand)(unsigned char* at, int n) noexcept nogil
        int (*status)() noexcept nogil
    int RAND_set_rand_method(const RAND_METHOD* m)

cdef extern from "<openssl/evp.h>" nogil:
    struct evp_md_st:
        pass
    const evp_md_st* EVP_sha256()
    EVP_PKEY* EVP_EC_gen(const char* curve)

cdef extern from "<openssl/x509.h>" nogil:
    struct X509_name_st:
        pass
    struct asn1_string_st:
        pass
    enum:
        MBSTRING_ASC
    X509* X509_new()
    X509_name_st* X509_get_subject_name(X509* x)
    int X509_set_issuer_name(X509* x, X509_name_st* name)
    int X509_NAME_add_entry_by_txt(
        X509_name_st* name, const char* field, int kind, const unsigned char* at, int n, int place, int group
    )
    asn1_string_st* X509_getm_notBefore(X509* x)
    asn1_string_st* X509_getm_notAfter(X509* x)
    int ASN1_TIME_set_string(asn1_string_st* time, const char* text)
    int X509_set_pubkey(X509* x, EVP_PKEY* key)
    int X509_sign(X509* x, EVP_PKEY* key, const evp_md_st* digest)

cdef extern from "<openssl/pem.h>" nogil:
    int PEM_write_bio_X509(BIO* b, X509* x)
    int PEM_write_bio_PrivateKey(
        BIO* b, EVP_PKEY* key, const void* cipher, unsigned char* text, int n, void* password, void* data
    )

cdef extern from "<openssl/ssl.h>" nogil:
    enum:
        SSL_KEY_UPDATE_REQUESTED
        SSL_KEY_UPDATE_NOT_REQUESTED
    int SSL_is_init_finished(const SSL* s)
    int SSL_version(const SSL* s)
    int SSL_key_update(SSL* s, int kind)
    int SSL_renegotiate(SSL* s)
    long SSL_set_max_proto_version(SSL* s, int version)
    int SSL_set_alpn_protos(SSL* s, const unsigned char* protocols, unsigned int n)

cdef enum:
    READ_BYTES = 5000

cdef char TEXT[TEXT_BYTES]
cdef uint32_t SEED = 1
cdef SSL_CTX* OURS[2]      # of the engine, by of_client
cdef SSL_CTX* THEIRS[2]    # of the peer, by of_client
cdef RAND_METHOD SEEDED
memset(&SEEDED, 0, sizeof(RAND_METHOD))
OURS[0] = OURS[1] = THEIRS[0] = THEIRS[1] = NULL


cdef int seeded_bytes(unsigned char* at, int n) noexcept nogil:
    global SEED
    cdef int i
    for i in range(n):
        SEED = SEED * 1664525 + 1013904223
        at[i] = <unsigned char>(SEED >> 24)
    return 1


cdef int seeded_status() noexcept nogil:
    return 1


SEEDED.bytes = seeded_bytes
SEEDED.pseudorand = seeded_bytes
SEEDED.status = seeded_status


cdef void tls_peer_seed(bint on) noexcept nogil:
    """From now on the same numbers as each time; or again those of the system."""
    global SEED
    SEED = 1
    RAND_set_rand_method(&SEEDED if on else NULL)


cdef const char* tls_text() noexcept nogil:
    """TEXT_BYTES that both sides say."""
    return TEXT


cdef X509* make_certificate(EVP_PKEY* key) noexcept nogil:
    """Of localhost, signed by itself, valid for ever."""
    cdef X509* x = X509_new()
    cdef X509_name_st* name = X509_get_subject_name(x)
    X509_NAME_add_entry_by_txt(name, b"CN", MBSTRING_ASC, <const unsigned char*>b"localhost", -1, -1, 0)
    X509_set_issuer_name(x, name)
    ASN1_TIME_set_string(X509_getm_notBefore(x), b"20000101000000Z")
    ASN1_TIME_set_string(X509_getm_notAfter(x), b"99991231235959Z")
    X509_set_pubkey(x, key)
    X509_sign(x, key, EVP_sha256())
    return x


cdef bint make_ours(X509* x, EVP_PKEY* key) noexcept nogil:
    """The engine's contexts, through its own door for them."""
    cdef tls_wishes w
    cdef char why[TLS_WHY_MAX]
    cdef char* at = NULL
    cdef BIO* cert = BIO_new(BIO_s_mem())
    cdef BIO* secret = BIO_new(BIO_s_mem())
    PEM_write_bio_X509(cert, x)
    PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL)
    memset(&w, 0, sizeof(tls_wishes))
    w.lowest = TLS1_2_VERSION
    w.highest = TLS1_3_VERSION
    w.ciphers = b""
    w.callers = CALLERS_ANY
    w.cert.len = <size_t>BIO_get_mem_data(cert, &at)
    w.cert.at = at
    w.key.len = <size_t>BIO_get_mem_data(secret, &at)
    w.key.at = at
    OURS[0] = tls_server_context(&w, why)
    w.authority = w.cert
    OURS[1] = tls_client_context(&w, why)
    BIO_free(cert)
    BIO_free(secret)
    return OURS[0] is not NULL and OURS[1] is not NULL


cdef bint tls_peer_ready() noexcept nogil:
    """Makes once what all conversations share; False when OpenSSL refuses."""
    cdef EVP_PKEY* key
    cdef X509* x
    cdef int i
    if OURS[0] is not NULL:
        return True
    for i in range(TEXT_BYTES):
        TEXT[i] = <char>((i * 7 + (i >> 8) * 13) & 0xff)
    key = EVP_EC_gen(b"P-256")
    x = make_certificate(key)
    THEIRS[0] = SSL_CTX_new(TLS_server_method())
    THEIRS[1] = SSL_CTX_new(TLS_client_method())
    SSL_CTX_use_certificate(THEIRS[0], x)
    SSL_CTX_use_PrivateKey(THEIRS[0], key)
    SSL_CTX_set_session_cache_mode(THEIRS[0], SSL_SESS_CACHE_OFF)
    return make_ours(x, key)


cdef SSL_CTX* tls_our_context(bint of_client) noexcept nogil:
    return OURS[of_client]


cdef void tls_peer_begin(tls_peer* p, bint of_client, bint old, int offer) noexcept nogil:
    """A client or a server that has said nothing yet.

    old     TLS 1.2 at the most
    offer   of a client by ALPN: 0 nothing, 1 HTTP/1.1, 2 both, 3 a stranger's protocol
    """
    memset(p, 0, sizeof(tls_peer))
    p.ssl = SSL_new(THEIRS[of_client])
    p.inward = BIO_new(BIO_s_mem())
    p.outward = BIO_new(BIO_s_mem())
    SSL_set_bio(p.ssl, p.inward, p.outward)
    if old:
        SSL_set_max_proto_version(p.ssl, TLS1_2_VERSION)
    if not of_client:
        SSL_set_accept_state(p.ssl)
        return
    SSL_set_connect_state(p.ssl)
    if offer == 1:
        SSL_set_alpn_protos(p.ssl, <const unsigned char*>b"\x08http/1.1", 9)
    elif offer == 2:
        SSL_set_alpn_protos(p.ssl, <const unsigned char*>b"\x08http/1.1\x02h2", 12)
    elif offer == 3:
        SSL_set_alpn_protos(p.ssl, <const unsigned char*>b"\x01x", 2)


cdef bint tls_peer_is_open(tls_peer* p) noexcept nogil:
    return SSL_is_init_finished(p.ssl) == 1 and not p.failed


cdef void judge(tls_peer* p, int result) noexcept nogil:
    """Of a call that did not do all."""
    cdef int error = SSL_get_error(p.ssl, result)
    if error == SSL_ERROR_ZERO_RETURN:
        p.heard_end = True
    elif error != SSL_ERROR_WANT_READ and error != SSL_ERROR_WANT_WRITE:
        p.failed = True
    ERR_clear_error()


cdef void tls_peer_step(tls_peer* p) noexcept nogil:
    """Goes on with the handshake, or reads all there is."""
    cdef char got[READ_BYTES]
    cdef int n
    if p.failed:
        return
    if not tls_peer_is_open(p):
        n = SSL_do_handshake(p.ssl)
        if n != 1:
            judge(p, n)
            return
    while not p.failed and not p.heard_end:
        n = SSL_read(p.ssl, got, READ_BYTES)
        if n <= 0:
            judge(p, n)
            return
        if p.heard + <size_t>n > TEXT_BYTES or memcmp(got, TEXT + p.heard, <size_t>n) != 0:
            p.deceived = True
            return
        p.heard += <size_t>n


cdef void tls_peer_write(tls_peer* p, size_t n) noexcept nogil:
    """Says so much more of the text, where it may."""
    cdef int result
    if n > TEXT_BYTES - p.said:
        n = TEXT_BYTES - p.said
    if n == 0 or p.said_end or not tls_peer_is_open(p):
        return
    result = SSL_write(p.ssl, TEXT + p.said, <int>n)
    if result > 0:
        p.said += <size_t>result
    else:
        judge(p, result)


cdef bint tls_peer_rekey(tls_peer* p, bint both) noexcept nogil:
    """New keys of TLS 1.3, ours as well when `both`; or a new handshake of TLS 1.2, which is to be refused.

    False when the connection cannot outlive it.
    """
    cdef int result
    if p.said_end or not tls_peer_is_open(p):
        return True
    if SSL_version(p.ssl) == TLS1_3_VERSION:
        SSL_key_update(p.ssl, SSL_KEY_UPDATE_REQUESTED if both else SSL_KEY_UPDATE_NOT_REQUESTED)
    else:
        SSL_renegotiate(p.ssl)
    result = SSL_do_handshake(p.ssl)
    if result != 1:
        judge(p, result)
    ERR_clear_error()
    return SSL_version(p.ssl) == TLS1_3_VERSION


cdef void tls_peer_end(tls_peer* p) noexcept nogil:
    """close_notify, once."""
    if p.said_end or not tls_peer_is_open(p):
        return
    p.said_end = True
    if SSL_shutdown(p.ssl) < 0:
        ERR_clear_error()


cdef void tls_peer_take(tls_peer* p, const char* at, size_t n) noexcept nogil:
    """Ciphertext for it."""
    BIO_write(p.inward, at, <int>n)


cdef size_t tls_peer_give(tls_peer* p, char* at, size_t n) noexcept nogil:
    """Up to `n` bytes of its ciphertext."""
    cdef int got = BIO_read(p.outward, at, <int>n)
    return <size_t>got if got > 0 else 0


cdef void tls_peer_free(tls_peer* p) noexcept nogil:
    SSL_free(p.ssl)
    ERR_clear_error()
