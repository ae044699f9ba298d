# cython: language_level=3
"""faults: the one table of failures, faults.h, as Cython sees it."""

cdef extern from "faults.h" nogil:
    enum fault_blame:
        CALLER
        SELF
        UPSTREAM
    enum fault_retry:
        NEVER
        IF_REUSED
        ELSEWHERE
    enum fault:
        FAULT_NONE
        BAD_REQUEST_LINE
        BAD_REQUEST_VERSION
        BAD_REQUEST_TARGET
        BAD_REQUEST_FIELD
        BAD_REQUEST_LINE_END
        BAD_REQUEST_FOLD
        BAD_REQUEST_HOST
        BAD_REQUEST_LENGTH
        BAD_REQUEST_FRAMING
        BAD_REQUEST_CODING
        UNKNOWN_REQUEST_CODING
        BAD_REQUEST_CHUNK
        BAD_REQUEST_TRAILER
        REQUEST_HEAD_TOO_LARGE
        REQUEST_TRAILER_TOO_LARGE
        METHOD_NOT_ALLOWED
        EXPECTATION_FAILED
        BAD_ORIGINAL_HOST
        HEAD_TIMED_OUT
        CALLER_IDLE
        CALLER_GONE
        CALLER_RESET
        BODY_INCOMPLETE
        CALLER_H2_ERROR
        CALLER_H2_FLOOD
        CALLER_TLS_ERROR
        WAITING_ROOM_FULL
        REQUEST_TIMED_OUT
        START_TIMED_OUT
        IDLE_TIMED_OUT
        NO_MEMORY
        NO_DESCRIPTORS
        STOPPING
        NO_ROUTE
        NO_REVISION
        NO_ENDPOINT
        HANDOFF_LOST
        CONNECT_REFUSED
        CONNECT_TIMED_OUT
        CONNECT_FAILED
        UPSTREAM_TLS_ERROR
        RESET_BEFORE_HEAD
        CLOSED_BEFORE_HEAD
        CLOSED_UNREAD
        CLOSED_IN_HEAD
        STREAM_REFUSED
        RESET_IN_BODY
        CLOSED_IN_BODY
        BAD_RESPONSE_LINE
        BAD_RESPONSE_FIELD
        BAD_RESPONSE_LINE_END
        BAD_RESPONSE_FOLD
        BAD_RESPONSE_LENGTH
        BAD_RESPONSE_FRAMING
        BAD_RESPONSE_CODING
        BAD_RESPONSE_CHUNK
        BAD_RESPONSE_TRAILER
        RESPONSE_HEAD_TOO_LARGE
        RESPONSE_TRAILER_TOO_LARGE
        TOO_MANY_INTERIM
        BAD_UPGRADE
        UPSTREAM_H2_ERROR
        UPSTREAM_STREAM_RESET
        FAULT_COUNT
    struct fault_row:
        const char* name
        const char* type
        const char* detail
        unsigned char blame
        unsigned char retry
        unsigned char close
        unsigned short status
        unsigned short gateway_status
    const fault_row fault_table[1]
