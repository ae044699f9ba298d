/* Every way an exchange can end badly. One row, one meaning. The enum, the
 * Python mirror, the log label and the metric label are all made from it.
 *
 * blame   CALLER, SELF or UPSTREAM
 * retry   NEVER; IF_REUSED: a reused connection died before an answer, so the
 *         request may go once more where its method allows it; ELSEWHERE: it
 *         was never sent, so another endpoint may have it
 * status  from a sidecar or activator, and from a gateway (as Envoy has it);
 *         0: nothing can or must be said
 * close   1: the downstream connection ends with it
 * type    the error type of RFC 9209 2.3
 *
 *    name                       blame     retry      status     close type                      detail */
#ifndef EXT_FAULTS_H
#define EXT_FAULTS_H

#define FAULTS(X) \
    X(BAD_REQUEST_LINE,          CALLER,   NEVER,     400, 400,  1, "http_request_error",     "malformed request line") \
    X(BAD_REQUEST_VERSION,       CALLER,   NEVER,     505, 505,  1, "http_request_error",     "unsupported protocol version") \
    X(BAD_REQUEST_TARGET,        CALLER,   NEVER,     400, 400,  1, "http_request_error",     "malformed request target") \
    X(BAD_REQUEST_FIELD,         CALLER,   NEVER,     400, 400,  1, "http_request_error",     "malformed header field") \
    X(BAD_REQUEST_LINE_END,      CALLER,   NEVER,     400, 400,  1, "http_request_error",     "line not ended by CRLF") \
    X(BAD_REQUEST_FOLD,          CALLER,   NEVER,     400, 400,  1, "http_request_error",     "folded header line") \
    X(BAD_REQUEST_HOST,          CALLER,   NEVER,     400, 400,  1, "http_request_error",     "missing, repeated or malformed Host") \
    X(BAD_REQUEST_LENGTH,        CALLER,   NEVER,     400, 400,  1, "http_request_error",     "malformed or repeated Content-Length") \
    X(BAD_REQUEST_FRAMING,       CALLER,   NEVER,     400, 400,  1, "http_request_error",     "Content-Length beside Transfer-Encoding") \
    X(BAD_REQUEST_CODING,        CALLER,   NEVER,     400, 400,  1, "http_request_error",     "malformed Transfer-Encoding") \
    X(UNKNOWN_REQUEST_CODING,    CALLER,   NEVER,     501, 501,  1, "http_request_error",     "unsupported transfer coding") \
    X(BAD_REQUEST_CHUNK,         CALLER,   NEVER,     400, 400,  1, "http_request_error",     "malformed chunk") \
    X(BAD_REQUEST_TRAILER,       CALLER,   NEVER,     400, 400,  1, "http_request_error",     "malformed trailer section") \
    X(REQUEST_HEAD_TOO_LARGE,    CALLER,   NEVER,     431, 431,  1, "http_request_error",     "request head too large") \
    X(REQUEST_TRAILER_TOO_LARGE, CALLER,   NEVER,     431, 431,  1, "http_request_error",     "trailer section too large") \
    X(METHOD_NOT_ALLOWED,        CALLER,   NEVER,     405, 405,  1, "http_request_error",     "method not allowed") \
    X(EXPECTATION_FAILED,        CALLER,   NEVER,     417, 417,  0, "http_request_error",     "unknown expectation") \
    X(BAD_ORIGINAL_HOST,         CALLER,   NEVER,     400, 400,  0, "http_request_error",     "malformed or repeated K-Original-Host") \
    X(HEAD_TIMED_OUT,            CALLER,   NEVER,     0,   408,  1, "http_request_error",     "request head not complete in time") \
    X(CALLER_IDLE,               CALLER,   NEVER,     0,   0,    1, "connection_timeout",     "idle connection closed") \
    X(CALLER_GONE,               CALLER,   NEVER,     0,   0,    1, "http_request_error",     "caller closed before the answer") \
    X(CALLER_RESET,              CALLER,   NEVER,     0,   0,    1, "http_request_error",     "caller reset the connection or stream") \
    X(BODY_INCOMPLETE,           CALLER,   NEVER,     400, 400,  1, "http_request_error",     "request body ended early") \
    X(CALLER_H2_ERROR,           CALLER,   NEVER,     0,   0,    1, "http_protocol_error",    "HTTP/2 protocol error") \
    X(CALLER_H2_FLOOD,           CALLER,   NEVER,     0,   0,    1, "http_protocol_error",    "HTTP/2 flood bound reached") \
    X(CALLER_TLS_ERROR,          CALLER,   NEVER,     0,   0,    1, "tls_protocol_error",     "TLS handshake failed") \
    X(WAITING_ROOM_FULL,         SELF,     NEVER,     503, 503,  0, "http_request_denied",    "pending request queue full") \
    X(REQUEST_TIMED_OUT,         SELF,     NEVER,     504, 504,  0, "http_response_timeout",  "request took longer than allowed") \
    X(START_TIMED_OUT,           SELF,     NEVER,     504, 504,  0, "http_response_timeout",  "response did not start in time") \
    X(IDLE_TIMED_OUT,            SELF,     NEVER,     504, 408,  0, "http_response_timeout",  "response made no progress in time") \
    X(NO_MEMORY,                 SELF,     NEVER,     503, 503,  1, "proxy_internal_error",   "out of memory") \
    X(NO_DESCRIPTORS,            SELF,     NEVER,     503, 503,  0, "proxy_internal_error",   "out of file descriptors") \
    X(STOPPING,                  SELF,     NEVER,     503, 503,  1, "http_request_denied",    "shutting down") \
    X(NO_ROUTE,                  SELF,     NEVER,     404, 404,  0, "destination_not_found",  "no route") \
    X(NO_REVISION,               SELF,     NEVER,     404, 404,  0, "destination_not_found",  "no such revision") \
    X(NO_ENDPOINT,               SELF,     NEVER,     503, 503,  0, "destination_unavailable", "no endpoint is ready") \
    X(HANDOFF_LOST,              SELF,     NEVER,     500, 500,  0, "proxy_internal_error",   "control thread did not answer") \
    X(CONNECT_REFUSED,           UPSTREAM, ELSEWHERE, 502, 503,  0, "connection_refused",     "connection refused") \
    X(CONNECT_TIMED_OUT,         UPSTREAM, ELSEWHERE, 502, 503,  0, "connection_timeout",     "connection timed out") \
    X(CONNECT_FAILED,            UPSTREAM, ELSEWHERE, 502, 503,  0, "destination_ip_unroutable", "connection failed") \
    X(UPSTREAM_TLS_ERROR,        UPSTREAM, NEVER,     502, 503,  0, "tls_protocol_error",     "TLS to upstream failed") \
    X(RESET_BEFORE_HEAD,         UPSTREAM, IF_REUSED, 502, 503,  0, "connection_terminated",  "connection reset before the response") \
    X(CLOSED_BEFORE_HEAD,        UPSTREAM, IF_REUSED, 502, 503,  0, "connection_terminated",  "connection closed before the response") \
    X(CLOSED_UNREAD,             UPSTREAM, IF_REUSED, 502, 503,  0, "connection_terminated",  "connection closed before the request came") \
    X(CLOSED_IN_HEAD,            UPSTREAM, NEVER,     502, 503,  0, "http_response_incomplete", "connection ended inside the response head") \
    X(STREAM_REFUSED,            UPSTREAM, IF_REUSED, 502, 503,  0, "http_protocol_error",    "stream refused by upstream") \
    X(RESET_IN_BODY,             UPSTREAM, NEVER,     0,   0,    1, "http_response_incomplete", "connection reset inside the response") \
    X(CLOSED_IN_BODY,            UPSTREAM, NEVER,     0,   0,    1, "http_response_incomplete", "connection closed inside the response") \
    X(BAD_RESPONSE_LINE,         UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "malformed status line") \
    X(BAD_RESPONSE_FIELD,        UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "malformed response header field") \
    X(BAD_RESPONSE_LINE_END,     UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "response line not ended by CRLF") \
    X(BAD_RESPONSE_FOLD,         UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "folded response header line") \
    X(BAD_RESPONSE_LENGTH,       UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "malformed or repeated Content-Length") \
    X(BAD_RESPONSE_FRAMING,      UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "Content-Length beside Transfer-Encoding") \
    X(BAD_RESPONSE_CODING,       UPSTREAM, NEVER,     502, 502,  0, "http_response_transfer_coding", "unsupported transfer coding in the response") \
    X(BAD_RESPONSE_CHUNK,        UPSTREAM, NEVER,     502, 502,  1, "http_protocol_error",    "malformed chunk in the response") \
    X(BAD_RESPONSE_TRAILER,      UPSTREAM, NEVER,     502, 502,  1, "http_protocol_error",    "malformed trailer section in the response") \
    X(RESPONSE_HEAD_TOO_LARGE,   UPSTREAM, NEVER,     502, 502,  0, "http_response_header_section_size", "response head too large") \
    X(RESPONSE_TRAILER_TOO_LARGE, UPSTREAM, NEVER,    502, 502,  1, "http_response_trailer_section_size", "response trailer section too large") \
    X(TOO_MANY_INTERIM,          UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "too many interim responses") \
    X(BAD_UPGRADE,               UPSTREAM, NEVER,     502, 502,  0, "http_upgrade_failed",    "upgrade answered with another protocol") \
    X(UPSTREAM_H2_ERROR,         UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "HTTP/2 protocol error from upstream") \
    X(UPSTREAM_STREAM_RESET,     UPSTREAM, NEVER,     502, 502,  0, "http_protocol_error",    "stream reset by upstream")

enum fault_blame { CALLER, SELF, UPSTREAM };
enum fault_retry { NEVER, IF_REUSED, ELSEWHERE };

#define FAULT_ENUM(name, blame, retry, status, gateway, close, type, detail) name,
enum fault { FAULT_NONE = 0, FAULTS(FAULT_ENUM) FAULT_COUNT };
#undef FAULT_ENUM

struct fault_row {
    const char* name;
    const char* type;
    const char* detail;
    unsigned char blame, retry, close;
    unsigned short status, gateway_status;
};

#define FAULT_ROW(name, blame, retry, status, gateway, close, type, detail) \
    {#name, type, detail, blame, retry, close, status, gateway},
__attribute__((unused)) static const struct fault_row fault_table[FAULT_COUNT] = {
    {"NONE", "", "", 0, 0, 0, 0, 0}, FAULTS(FAULT_ROW)};
#undef FAULT_ROW

#endif
