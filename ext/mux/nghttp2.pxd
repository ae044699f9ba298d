# cython: language_level=3
"""nghttp2: what the engine uses of libnghttp2, the framing and header compression of HTTP/2."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

cdef extern from "nghttp2/nghttp2.h" nogil:
    ctypedef struct nghttp2_session:
        pass
    ctypedef struct nghttp2_session_callbacks:
        pass
    ctypedef struct nghttp2_option:
        pass
    ctypedef struct nghttp2_mem:
        pass
    ctypedef struct nghttp2_priority_spec:
        pass
    ctypedef struct nghttp2_nv:
        uint8_t* name
        uint8_t* value
        size_t namelen
        size_t valuelen
        uint8_t flags
    ctypedef struct nghttp2_frame_hd:
        size_t length
        int32_t stream_id
        uint8_t type
        uint8_t flags
    ctypedef struct nghttp2_settings_entry:
        int32_t settings_id
        uint32_t value
    ctypedef enum nghttp2_headers_category:
        NGHTTP2_HCAT_REQUEST
        NGHTTP2_HCAT_RESPONSE
        NGHTTP2_HCAT_PUSH_RESPONSE
        NGHTTP2_HCAT_HEADERS
    ctypedef struct nghttp2_headers:
        nghttp2_frame_hd hd
        nghttp2_headers_category cat
    ctypedef struct nghttp2_goaway:
        nghttp2_frame_hd hd
        int32_t last_stream_id
        uint32_t error_code
    ctypedef struct nghttp2_rst_stream:
        nghttp2_frame_hd hd
        uint32_t error_code
    ctypedef union nghttp2_frame:
        nghttp2_frame_hd hd
        nghttp2_headers headers
        nghttp2_goaway goaway
        nghttp2_rst_stream rst_stream
    ctypedef union nghttp2_data_source:
        int fd
        void* ptr
    ctypedef ssize_t (*nghttp2_data_source_read_callback)(
        nghttp2_session* session, int32_t stream_id, uint8_t* buf, size_t length, uint32_t* data_flags,
        nghttp2_data_source* source, void* user_data,
    ) noexcept
    ctypedef struct nghttp2_data_provider:
        nghttp2_data_source source
        nghttp2_data_source_read_callback read_callback
    enum:
        NGHTTP2_DATA
        NGHTTP2_HEADERS
        NGHTTP2_PRIORITY
        NGHTTP2_RST_STREAM
        NGHTTP2_SETTINGS
        NGHTTP2_PING
        NGHTTP2_GOAWAY
        NGHTTP2_WINDOW_UPDATE
        NGHTTP2_CONTINUATION
        NGHTTP2_PRIORITY_UPDATE
        NGHTTP2_FLAG_NONE
        NGHTTP2_FLAG_ACK
        NGHTTP2_FLAG_END_STREAM
        NGHTTP2_FLAG_END_HEADERS
        NGHTTP2_FLAG_PADDED
        NGHTTP2_SETTINGS_ENABLE_PUSH
        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS
        NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE
        NGHTTP2_SETTINGS_MAX_FRAME_SIZE
        NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE
        NGHTTP2_NO_ERROR
        NGHTTP2_PROTOCOL_ERROR
        NGHTTP2_INTERNAL_ERROR
        NGHTTP2_REFUSED_STREAM
        NGHTTP2_CANCEL
        NGHTTP2_ENHANCE_YOUR_CALM
        NGHTTP2_DATA_FLAG_EOF
        NGHTTP2_DATA_FLAG_NO_END_STREAM
        NGHTTP2_DATA_FLAG_NO_COPY
        NGHTTP2_NV_FLAG_NONE
        NGHTTP2_NV_FLAG_NO_COPY_NAME
        NGHTTP2_NV_FLAG_NO_COPY_VALUE
        NGHTTP2_ERR_WOULDBLOCK
        NGHTTP2_ERR_DEFERRED
        NGHTTP2_ERR_REFUSED_STREAM
        NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
        NGHTTP2_ERR_CALLBACK_FAILURE
        NGHTTP2_ERR_FLOODED
        NGHTTP2_ERR_TOO_MANY_CONTINUATIONS
        NGHTTP2_ERR_NOMEM

    int nghttp2_session_callbacks_new(nghttp2_session_callbacks** made)
    void nghttp2_session_callbacks_set_on_begin_frame_callback(
        nghttp2_session_callbacks* c, int (*f)(nghttp2_session*, const nghttp2_frame_hd*, void*) noexcept)
    void nghttp2_session_callbacks_set_on_begin_headers_callback(
        nghttp2_session_callbacks* c, int (*f)(nghttp2_session*, const nghttp2_frame*, void*) noexcept)
    void nghttp2_session_callbacks_set_on_header_callback(
        nghttp2_session_callbacks* c,
        int (*f)(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t,
                 void*) noexcept)
    void nghttp2_session_callbacks_set_on_invalid_header_callback(
        nghttp2_session_callbacks* c,
        int (*f)(nghttp2_session*, const nghttp2_frame*, const uint8_t*, size_t, const uint8_t*, size_t, uint8_t,
                 void*) noexcept)
    void nghttp2_session_callbacks_set_on_frame_recv_callback(
        nghttp2_session_callbacks* c, int (*f)(nghttp2_session*, const nghttp2_frame*, void*) noexcept)
    void nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
        nghttp2_session_callbacks* c, int (*f)(nghttp2_session*, const nghttp2_frame*, int, void*) noexcept)
    void nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        nghttp2_session_callbacks* c,
        int (*f)(nghttp2_session*, uint8_t, int32_t, const uint8_t*, size_t, void*) noexcept)
    void nghttp2_session_callbacks_set_on_frame_send_callback(
        nghttp2_session_callbacks* c, int (*f)(nghttp2_session*, const nghttp2_frame*, void*) noexcept)
    void nghttp2_session_callbacks_set_on_frame_not_send_callback(
        nghttp2_session_callbacks* c, int (*f)(nghttp2_session*, const nghttp2_frame*, int, void*) noexcept)
    void nghttp2_session_callbacks_set_on_stream_close_callback(
        nghttp2_session_callbacks* c, int (*f)(nghttp2_session*, int32_t, uint32_t, void*) noexcept)
    void nghttp2_session_callbacks_set_send_data_callback(
        nghttp2_session_callbacks* c,
        int (*f)(nghttp2_session*, nghttp2_frame*, const uint8_t*, size_t, nghttp2_data_source*, void*) noexcept)

    int nghttp2_option_new(nghttp2_option** made)
    void nghttp2_option_del(nghttp2_option* o)
    void nghttp2_option_set_no_auto_window_update(nghttp2_option* o, int on)
    void nghttp2_option_set_peer_max_concurrent_streams(nghttp2_option* o, uint32_t n)
    void nghttp2_option_set_max_send_header_block_length(nghttp2_option* o, size_t n)
    void nghttp2_option_set_max_outbound_ack(nghttp2_option* o, size_t n)
    void nghttp2_option_set_stream_reset_rate_limit(nghttp2_option* o, uint64_t burst, uint64_t rate)
    void nghttp2_option_set_max_continuations(nghttp2_option* o, size_t n)

    int nghttp2_session_server_new2(
        nghttp2_session** made, const nghttp2_session_callbacks* c, void* user_data, const nghttp2_option* o)
    int nghttp2_session_client_new2(
        nghttp2_session** made, const nghttp2_session_callbacks* c, void* user_data, const nghttp2_option* o)
    void nghttp2_session_del(nghttp2_session* s)
    ssize_t nghttp2_session_mem_send(nghttp2_session* s, const uint8_t** at)
    ssize_t nghttp2_session_mem_recv(nghttp2_session* s, const uint8_t* at, size_t n)
    int nghttp2_session_resume_data(nghttp2_session* s, int32_t stream_id)
    int nghttp2_session_want_read(nghttp2_session* s)
    int nghttp2_session_want_write(nghttp2_session* s)
    void* nghttp2_session_get_stream_user_data(nghttp2_session* s, int32_t stream_id)
    int nghttp2_session_set_stream_user_data(nghttp2_session* s, int32_t stream_id, void* data)
    int nghttp2_session_terminate_session(nghttp2_session* s, uint32_t error_code)
    uint32_t nghttp2_session_get_remote_settings(nghttp2_session* s, int id)
    int nghttp2_session_consume(nghttp2_session* s, int32_t stream_id, size_t n)
    int nghttp2_session_consume_connection(nghttp2_session* s, size_t n)
    int nghttp2_session_consume_stream(nghttp2_session* s, int32_t stream_id, size_t n)
    int nghttp2_session_set_local_window_size(nghttp2_session* s, uint8_t flags, int32_t stream_id, int32_t size)
    int nghttp2_session_upgrade2(nghttp2_session* s, const uint8_t* payload, size_t n, int to_head, void* stream)
    int32_t nghttp2_session_get_last_proc_stream_id(nghttp2_session* s)
    int nghttp2_session_check_request_allowed(nghttp2_session* s)
    int nghttp2_submit_settings(nghttp2_session* s, uint8_t flags, const nghttp2_settings_entry* rows, size_t n)
    int nghttp2_submit_rst_stream(nghttp2_session* s, uint8_t flags, int32_t stream_id, uint32_t error_code)
    int nghttp2_submit_goaway(
        nghttp2_session* s, uint8_t flags, int32_t last_stream_id, uint32_t code, const uint8_t* debug, size_t n)
    int nghttp2_submit_shutdown_notice(nghttp2_session* s)
    int nghttp2_submit_ping(nghttp2_session* s, uint8_t flags, const uint8_t* data)
    int nghttp2_submit_response(
        nghttp2_session* s, int32_t stream_id, const nghttp2_nv* nva, size_t n, const nghttp2_data_provider* body)
    int32_t nghttp2_submit_request(
        nghttp2_session* s, const nghttp2_priority_spec* p, const nghttp2_nv* nva, size_t n,
        const nghttp2_data_provider* body, void* stream)
    int32_t nghttp2_submit_headers(
        nghttp2_session* s, uint8_t flags, int32_t stream_id, const nghttp2_priority_spec* p, const nghttp2_nv* nva,
        size_t n, void* stream)
    int nghttp2_submit_trailer(nghttp2_session* s, int32_t stream_id, const nghttp2_nv* nva, size_t n)
