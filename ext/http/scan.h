/* Searches that read a head: which byte ends a name, a value, a target.
 *
 * Each returns the first byte that does not belong, or `end`. None reads at or
 * beyond `end`. On x86-64 sixteen bytes are tested at once (SSE2 is part of the
 * architecture), elsewhere eight in a 64-bit word, byte by byte at the rest. */
#ifndef EXT_SCAN_H
#define EXT_SCAN_H

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum scan_kind {
    SCAN_TOKEN = 1,  /* RFC 9110 5.6.2 */
    SCAN_VALUE = 2,  /* RFC 9110 5.5: VCHAR, obs-text, SP, HTAB */
    SCAN_TARGET = 4, /* no control, no space, no `#` */
    SCAN_HOST = 8,   /* RFC 3986 3.2.2 reg-name */
    SCAN_HEX = 16,   /* hexadecimal digit */
    SCAN_DIGIT = 32
};

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c) (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')
#define IS_HEX(c) (IS_DIGIT(c) || (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'f'))
/* What tokens and hosts share beside letters and digits, then what each has alone. */
#define IS_COMMON(c) \
    (IS_DIGIT(c) || IS_ALPHA(c) || (c) == '!' || (c) == '$' || (c) == '%' || (c) == '&' || (c) == '\'' \
     || (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define IS_TOKEN(c) (IS_COMMON(c) || (c) == '#' || (c) == '^' || (c) == '`' || (c) == '|')
#define IS_HOST(c) (IS_COMMON(c) || (c) == '(' || (c) == ')' || (c) == ',' || (c) == ';' || (c) == '=')
#define IS_VALUE(c) (((c) >= 0x20 && (c) != 0x7f) || (c) == '\t')
#define IS_TARGET(c) ((c) > 0x20 && (c) != 0x7f && (c) != '#')

#define CLASS(c) \
    ((IS_TOKEN(c) ? SCAN_TOKEN : 0) | (IS_VALUE(c) ? SCAN_VALUE : 0) | (IS_TARGET(c) ? SCAN_TARGET : 0) \
     | (IS_HOST(c) ? SCAN_HOST : 0) | (IS_HEX(c) ? SCAN_HEX : 0) | (IS_DIGIT(c) ? SCAN_DIGIT : 0))
#define CLASS_4(c) CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define CLASS_16(c) CLASS_4(c), CLASS_4((c) + 4), CLASS_4((c) + 8), CLASS_4((c) + 12)
#define CLASS_64(c) CLASS_16(c), CLASS_16((c) + 16), CLASS_16((c) + 32), CLASS_16((c) + 48)
static const unsigned char scan_class[256] = {CLASS_64(0), CLASS_64(64), CLASS_64(128), CLASS_64(192)};

static inline int scan_is(char c, int kinds)
{
    return scan_class[(unsigned char)c] & kinds;
}

/* The first byte that is of none of these kinds. */
static inline const char* scan_while(const char* at, const char* end, int kinds)
{
    while (at < end && scan_is(*at, kinds))
        at++;
    return at;
}

#ifdef __SSE2__
/* Bit i: byte i is a letter, a digit, `-` or `_`; nearly every name has no other. */
static inline unsigned scan_plain_16(__m128i x)
{
    __m128i letter = _mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(x, _mm_set1_epi8('0'));
    __m128i plain = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter),
                     _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit)),
        _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('-')), _mm_cmpeq_epi8(x, _mm_set1_epi8('_'))));
    return (unsigned)_mm_movemask_epi8(plain);
}

/* Bit i: byte i is at most `low`, or DEL. */
static inline unsigned scan_low_16(__m128i x, char low)
{
    __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(low)), x),
                               _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));
    return (unsigned)_mm_movemask_epi8(bad);
}
#elif defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define SCAN_WORDS
/* The top bit of the lowest byte that is at most `low` (below 0x7f), or DEL; the bits above it may be wrong. */
static inline uint64_t scan_low_8(uint64_t x, uint64_t low)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t del = x ^ (ones * 0x7f);
    return (((x - ones * (low + 1)) & ~x) | ((del - ones) & ~del)) & tops;
}
#endif

/* The first byte that a token cannot hold. */
static inline const char* scan_token(const char* at, const char* end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        unsigned odd = scan_plain_16(_mm_loadu_si128((const __m128i*)at)) ^ 0xffffu;
        if (!odd) {
            at += 16;
            continue;
        }
        at += __builtin_ctz(odd);
        if (!scan_is(*at, SCAN_TOKEN))
            return at;
        at++;
    }
#endif
    return scan_while(at, end, SCAN_TOKEN);
}

/* The first byte that a field value cannot hold. */
static inline const char* scan_value(const char* at, const char* end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        unsigned low = scan_low_16(_mm_loadu_si128((const __m128i*)at), 0x1f);
        if (!low) {
            at += 16;
            continue;
        }
        at += __builtin_ctz(low);
        if (*at != '\t')
            return at;
        at++;
    }
#elif defined(SCAN_WORDS)
    while (end - at >= 8) {
        uint64_t word, low;
        memcpy(&word, at, 8);
        low = scan_low_8(word, 0x1f);
        if (!low) {
            at += 8;
            continue;
        }
        at += __builtin_ctzll(low) >> 3;
        if (*at != '\t')
            return at;
        at++;
    }
#endif
    return scan_while(at, end, SCAN_VALUE);
}

/* The first byte that a request target cannot hold. */
static inline const char* scan_target(const char* at, const char* end)
{
#ifdef __SSE2__
    while (end - at >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i*)at);
        unsigned odd = scan_low_16(x, 0x20) | (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('#')));
        if (odd)
            return at + __builtin_ctz(odd);
        at += 16;
    }
#elif defined(SCAN_WORDS)
    while (end - at >= 8) {
        uint64_t word, sharp;
        const uint64_t ones = UINT64_C(0x0101010101010101);
        memcpy(&word, at, 8);
        sharp = word ^ (ones * '#');
        if (scan_low_8(word, 0x20) | ((sharp - ones) & ~sharp & (ones << 7)))
            break;
        at += 8;
    }
#endif
    return scan_while(at, end, SCAN_TARGET);
}

#undef IS_DIGIT
#undef IS_ALPHA
#undef IS_HEX
#undef IS_COMMON
#undef IS_TOKEN
#undef IS_HOST
#undef IS_VALUE
#undef IS_TARGET
#undef CLASS
#undef CLASS_4
#undef CLASS_16
#undef CLASS_64

#endif
