# Made from names.toml by names_gen.py; do not edit.

cdef enum:
    NAME_HOST = 1
    NAME_CONNECTION = 2
    NAME_CONTENT_LENGTH = 3
    NAME_TRANSFER_ENCODING = 4
    NAME_UPGRADE = 5
    NAME_TE = 6
    NAME_TRAILER = 7
    NAME_KEEP_ALIVE = 8
    NAME_PROXY_CONNECTION = 9
    NAME_PROXY_AUTHENTICATE = 10
    NAME_PROXY_AUTHORIZATION = 11
    NAME_HTTP2_SETTINGS = 12
    NAME_EXPECT = 13
    NAME_DATE = 14
    NAME_CONTENT_TYPE = 15
    NAME_CONTENT_ENCODING = 16
    NAME_CONTENT_RANGE = 17
    NAME_USER_AGENT = 18
    NAME_FORWARDED = 19
    NAME_X_FORWARDED_FOR = 20
    NAME_X_FORWARDED_HOST = 21
    NAME_X_FORWARDED_PROTO = 22
    NAME_TRACEPARENT = 23
    NAME_TRACESTATE = 24
    NAME_BAGGAGE = 25
    NAME_K_NETWORK_PROBE = 26
    NAME_K_NETWORK_HASH = 27
    NAME_K_PROXY_REQUEST = 28
    NAME_K_ORIGINAL_HOST = 29
    NAME_K_KUBELET_PROBE = 30
    NAME_K_PASSTHROUGH_LB = 31
    NAME_KNATIVE_SERVING_REVISION = 32
    NAME_KNATIVE_SERVING_NAMESPACE = 33
    NAME_KNATIVE_SERVING_TAG = 34
    NAME_KNATIVE_SERVING_DEFAULT_ROUTE = 35
    NAME_IDEMPOTENCY_KEY = 36
    NAME_SERVER = 37
    NAME_VIA = 38
    NAME_RETRY_AFTER = 39
    NAME_PROXY_STATUS = 40
    NAME_GRPC_STATUS = 41
    NAME_GRPC_MESSAGE = 42
    NAME_X_B3_TRACEID = 43
    NAME_REFERER = 44
    NAME_X_REQUEST_ID = 45
    NAME_COOKIE = 46
    NAME_SERVER_TIMING = 47
    NAME_AUTHORIZATION = 48
    NAME_WWW_AUTHENTICATE = 49
    NAME_SET_COOKIE = 50
    NAME_CACHE_CONTROL = 51
    NAME_RANGE = 52
    NAME_MAX_FORWARDS = 53
    NAME_LOCATION = 54
    NAME_VARY = 55
    NAME_AGE = 56
    NAME_EXPIRES = 57
    NAME_ACCEPT_ENCODING = 58
    NAME_IF_MATCH = 59
    NAME_IF_NONE_MATCH = 60
    NAME_ORIGIN = 61
    NAME_COUNT = 62

cdef enum name_flag:
    NAME_IS_HOP = 1
    NAME_IS_ONCE = 2
    NAME_IS_PLATFORM = 4
    NAME_IS_HEAD = 8
    NAME_IS_FRAMING = 16

cdef extern from * nogil:
    """
    #define NAME_FACTOR_LENGTH 2u
    #define NAME_FACTOR_FIRST 96u
    #define NAME_FACTOR_MIDDLE 74u
    #define NAME_FACTOR_LAST 213u
    struct name_row { unsigned char len, flags; char text[32], mask[32]; };
    static const struct name_row name_rows[] = {
        {0, 0, "", ""},
        {4, 30, "host", "    "},
        {10, 9, "connection", "          "},
        {14, 30, "content-length", "       \\0      "},
        {17, 31, "transfer-encoding", "        \\0        "},
        {7, 9, "upgrade", "       "},
        {2, 9, "te", "  "},
        {7, 8, "trailer", "       "},
        {10, 9, "keep-alive", "    \\0     "},
        {16, 9, "proxy-connection", "     \\0          "},
        {18, 9, "proxy-authenticate", "     \\0            "},
        {19, 9, "proxy-authorization", "     \\0             "},
        {14, 9, "http2-settings", "    \\0\\0        "},
        {6, 8, "expect", "      "},
        {4, 12, "date", "    "},
        {12, 8, "content-type", "       \\0    "},
        {16, 8, "content-encoding", "       \\0        "},
        {13, 8, "content-range", "       \\0     "},
        {10, 0, "user-agent", "    \\0     "},
        {9, 12, "forwarded", "         "},
        {15, 12, "x-forwarded-for", " \\0         \\0   "},
        {16, 12, "x-forwarded-host", " \\0         \\0    "},
        {17, 12, "x-forwarded-proto", " \\0         \\0     "},
        {11, 12, "traceparent", "           "},
        {10, 12, "tracestate", "          "},
        {7, 12, "baggage", "       "},
        {15, 12, "k-network-probe", " \\0       \\0     "},
        {14, 12, "k-network-hash", " \\0       \\0    "},
        {15, 12, "k-proxy-request", " \\0     \\0       "},
        {15, 12, "k-original-host", " \\0        \\0    "},
        {15, 12, "k-kubelet-probe", " \\0       \\0     "},
        {16, 12, "k-passthrough-lb", " \\0           \\0  "},
        {24, 12, "knative-serving-revision", "       \\0       \\0        "},
        {25, 12, "knative-serving-namespace", "       \\0       \\0         "},
        {19, 12, "knative-serving-tag", "       \\0       \\0   "},
        {29, 12, "knative-serving-default-route", "       \\0       \\0       \\0     "},
        {15, 12, "idempotency-key", "           \\0   "},
        {6, 0, "server", "      "},
        {3, 0, "via", "   "},
        {11, 8, "retry-after", "     \\0     "},
        {12, 4, "proxy-status", "     \\0      "},
        {11, 0, "grpc-status", "    \\0      "},
        {12, 0, "grpc-message", "    \\0       "},
        {12, 0, "x-b3-traceid", " \\0 \\0\\0       "},
        {7, 0, "referer", "       "},
        {12, 0, "x-request-id", " \\0       \\0  "},
        {6, 8, "cookie", "      "},
        {13, 0, "server-timing", "      \\0      "},
        {13, 8, "authorization", "             "},
        {16, 8, "www-authenticate", "   \\0            "},
        {10, 8, "set-cookie", "   \\0      "},
        {13, 8, "cache-control", "     \\0       "},
        {5, 8, "range", "     "},
        {12, 8, "max-forwards", "   \\0        "},
        {8, 8, "location", "        "},
        {4, 8, "vary", "    "},
        {3, 8, "age", "   "},
        {7, 8, "expires", "       "},
        {15, 0, "accept-encoding", "      \\0        "},
        {8, 8, "if-match", "  \\0     "},
        {13, 8, "if-none-match", "  \\0    \\0     "},
        {6, 0, "origin", "      "},
    };
    static const unsigned char name_slots[256] = {
        0, 0, 59, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 37, 46, 0, 16, 0, 0, 0, 35, 0, 34, 0, 0, 0, 0,
        32, 0, 0, 0, 60, 56, 0, 0, 0, 0, 0, 26, 0, 10, 0, 0, 43, 0, 0, 0, 0, 0, 0, 8,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50, 0, 38, 0, 4, 2, 0, 48, 0, 0, 36, 0, 0,
        0, 0, 0, 58, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0,
        0, 30, 23, 0, 0, 0, 45, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 21, 0, 29, 0,
        19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 53, 0, 25, 54, 52, 0, 0, 13, 41, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 39, 0, 51, 33, 0, 0, 27, 0, 0, 0, 11, 0, 31, 6,
        0, 0, 7, 0, 28, 0, 3, 0, 0, 15, 1, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 44, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 55, 0, 5, 20, 0, 0, 47,
        0, 0, 0, 42, 0, 0, 0, 57, 61, 0, 0, 49, 0, 12, 0, 0,
    };
    """
    const unsigned int NAME_FACTOR_LENGTH
    const unsigned int NAME_FACTOR_FIRST
    const unsigned int NAME_FACTOR_MIDDLE
    const unsigned int NAME_FACTOR_LAST
    struct name_row:
        unsigned char len
        unsigned char flags
        const char* text
        const char* mask
    const name_row name_rows[1]
    const unsigned char name_slots[1]
