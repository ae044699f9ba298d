# cython: language_level=3
"""openssl: what we use of libssl and libcrypto, as their headers declare it."""

cdef extern from "<openssl/bio.h>" nogil:
    struct bio_st:
        pass
    struct bio_method_st:
        pass
    ctypedef bio_st BIO
    ctypedef bio_method_st BIO_METHOD
    enum:
        BIO_TYPE_SOURCE_SINK
        BIO_CTRL_EOF
        BIO_CTRL_FLUSH
    int BIO_get_new_index()
    BIO_METHOD* BIO_meth_new(int kind, const char* name)
    int BIO_meth_set_write(BIO_METHOD* m, int (*write)(BIO* b, const char* at, int n) noexcept)
    int BIO_meth_set_read(BIO_METHOD* m, int (*read)(BIO* b, char* at, int n) noexcept)
    int BIO_meth_set_ctrl(BIO_METHOD* m, long (*ctrl)(BIO* b, int what, long number, void* pointer) noexcept)
    BIO* BIO_new(const BIO_METHOD* m)
    BIO* BIO_new_mem_buf(const void* at, int n)
    int BIO_free(BIO* b)
    void BIO_set_data(BIO* b, void* data)
    void* BIO_get_data(BIO* b)
    void BIO_set_init(BIO* b, int on)
    void BIO_set_retry_read(BIO* b)
    void BIO_set_retry_write(BIO* b)
    void BIO_clear_retry_flags(BIO* b)

cdef extern from "<openssl/err.h>" nogil:
    unsigned long ERR_peek_last_error()
    void ERR_clear_error()
    const char* ERR_reason_error_string(unsigned long error)

cdef extern from "<openssl/pem.h>" nogil:
    struct x509_st:
        pass
    struct evp_pkey_st:
        pass
    ctypedef x509_st X509
    ctypedef evp_pkey_st EVP_PKEY
    ctypedef int (*pem_password_cb)(char* at, int n, int writes, void* data) noexcept
    X509* PEM_read_bio_X509(BIO* b, X509** into, pem_password_cb password, void* data)
    EVP_PKEY* PEM_read_bio_PrivateKey(BIO* b, EVP_PKEY** into, pem_password_cb password, void* data)
    void X509_free(X509* x)
    void EVP_PKEY_free(EVP_PKEY* key)

cdef extern from "<openssl/x509.h>" nogil:
    struct x509_store_st:
        pass
    ctypedef x509_store_st X509_STORE
    int X509_STORE_add_cert(X509_STORE* store, X509* x)

cdef extern from "<openssl/ssl.h>" nogil:
    struct ssl_st:
        pass
    struct ssl_ctx_st:
        pass
    struct ssl_method_st:
        pass
    ctypedef ssl_st SSL
    ctypedef ssl_ctx_st SSL_CTX
    ctypedef ssl_method_st SSL_METHOD
    struct crypto_ex_data_st:
        pass
    ctypedef crypto_ex_data_st CRYPTO_EX_DATA
    enum:
        TLS1_2_VERSION
        TLS1_3_VERSION
        SSL_ERROR_WANT_READ
        SSL_ERROR_WANT_WRITE
        SSL_ERROR_ZERO_RETURN
        SSL_MODE_RELEASE_BUFFERS
        SSL_SESS_CACHE_OFF
        SSL_TLSEXT_ERR_OK
        SSL_TLSEXT_ERR_ALERT_FATAL
        SSL_AD_UNRECOGNIZED_NAME
        TLSEXT_NAMETYPE_host_name
        SSL_VERIFY_NONE
        SSL_VERIFY_PEER
        SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    const unsigned long SSL_OP_NO_RENEGOTIATION
    const unsigned long SSL_OP_NO_COMPRESSION
    const unsigned long SSL_OP_CIPHER_SERVER_PREFERENCE
    const unsigned long SSL_OP_PRIORITIZE_CHACHA
    const unsigned long SSL_OP_IGNORE_UNEXPECTED_EOF
    const SSL_METHOD* TLS_server_method()
    const SSL_METHOD* TLS_client_method()
    SSL_CTX* SSL_CTX_new(const SSL_METHOD* m)
    void SSL_CTX_free(SSL_CTX* c)
    unsigned long SSL_CTX_set_options(SSL_CTX* c, unsigned long options)
    long SSL_CTX_set_mode(SSL_CTX* c, long mode)
    long SSL_CTX_set_session_cache_mode(SSL_CTX* c, long mode)
    int SSL_CTX_set_session_id_context(SSL_CTX* c, const unsigned char* at, unsigned int n)
    int SSL_CTX_set_num_tickets(SSL_CTX* c, size_t n)
    void SSL_CTX_set_read_ahead(SSL_CTX* c, int on)
    int SSL_CTX_set_min_proto_version(SSL_CTX* c, int version)
    int SSL_CTX_set_max_proto_version(SSL_CTX* c, int version)
    int SSL_CTX_set_cipher_list(SSL_CTX* c, const char* text)
    int SSL_CTX_set1_groups_list(SSL_CTX* c, const char* text)
    int SSL_CTX_use_certificate(SSL_CTX* c, X509* x)
    int SSL_CTX_add1_chain_cert(SSL_CTX* c, X509* x)
    int SSL_CTX_use_PrivateKey(SSL_CTX* c, EVP_PKEY* key)
    int SSL_CTX_check_private_key(SSL_CTX* c)
    X509_STORE* SSL_CTX_get_cert_store(SSL_CTX* c)
    int SSL_CTX_add_client_CA(SSL_CTX* c, X509* x)
    void SSL_CTX_set_verify(SSL_CTX* c, int mode, void* none)
    void SSL_CTX_set_alpn_select_cb(
        SSL_CTX* c,
        int (*choose)(
            SSL* s,
            const unsigned char** chosen,
            unsigned char* n,
            const unsigned char* offer,
            unsigned int offered,
            void* data,
        ) noexcept,
        void* data,
    )
    int SSL_CTX_up_ref(SSL_CTX* c)
    int SSL_CTX_get_ex_new_index(
        long number, void* pointer, void* make, void* copy,
        void (*release)(void* of, void* data, CRYPTO_EX_DATA* all, int index, long number, void* pointer) noexcept,
    )
    int SSL_CTX_set_ex_data(SSL_CTX* c, int index, void* data)
    long SSL_CTX_set_tlsext_servername_callback(
        SSL_CTX* c, int (*on_name)(SSL* s, int* alert, void* argument) noexcept
    )
    long SSL_CTX_set_tlsext_servername_arg(SSL_CTX* c, void* argument)
    SSL* SSL_new(SSL_CTX* c)
    void SSL_free(SSL* s)
    void SSL_set_bio(SSL* s, BIO* source, BIO* sink)
    void SSL_set_accept_state(SSL* s)
    void SSL_set_connect_state(SSL* s)
    int SSL_set_tlsext_host_name(SSL* s, const char* name)
    const char* SSL_get_servername(const SSL* s, int kind)
    SSL_CTX* SSL_set_SSL_CTX(SSL* s, SSL_CTX* c)
    int SSL_set1_host(SSL* s, const char* name)
    int SSL_do_handshake(SSL* s)
    int SSL_read(SSL* s, void* at, int n)
    int SSL_write(SSL* s, const void* at, int n)
    int SSL_has_pending(const SSL* s)
    int SSL_shutdown(SSL* s)
    int SSL_get_error(const SSL* s, int result)
    void SSL_get0_alpn_selected(const SSL* s, const unsigned char** at, unsigned int* n)
