"""Templates: our engine says what Go's own engine says."""

# A template is one line.
# ruff: noqa: E501

from __future__ import annotations

import pytest
from go_engine import REVISION, GoEngine, build
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataplane.accesslog import UPSTREAM_DEFAULT, Record
from dataplane.templates.compile import Template
from dataplane.templates.errors import ExecError, TemplateError
from dataplane.templates.request import Root


@pytest.fixture(scope="session")
def go(tmp_path_factory):
    engine = GoEngine(build(tmp_path_factory.mktemp("gotemplate")))
    yield engine
    engine.close()


def record(**changes) -> Record:
    fields = {
        "method": "GET",
        "target": b"/it%27s/a%20path?q=%3Cx%3E&lang=de&lang=en",
        "host": "example.com:8080",
        "proto": "HTTP/1.1",
        "headers": [
            (b"user-agent", b"Mozilla 'quoted' \"twice\" <b> & \\ \xc3\xa4 \xff"),
            (b"Referer", b"http://example.org/?a=b"),
            (b"accept", b"text/html"),
            (b"Accept", b"*/*"),
            (b"Traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            (b"X-B3-TraceId", b"463ac35c9f6413ad48485a3926e8b261"),
        ],
        "content_length": -1,
        "remote_addr": "127.0.0.1:51234",
        "status": 404,
        "response_bytes": 1234,
        "latency_s": 0.0123456,
        "tls": False,
    }
    return Record(**(fields | changes))


def ours(template: str, made: Record) -> tuple[str, bytes]:
    try:
        parsed = Template(template)
    except TemplateError as fault:
        return "parse", str(fault).encode()
    try:
        return "ok", parsed.render(Root(made, REVISION)).encode("utf-8", "surrogateescape")
    except ExecError as fault:
        return "exec", str(fault).encode()


def assert_same(go: GoEngine, template: str, made: Record) -> None:
    mine, said = ours(template, made), go.ask(template.encode(), made)
    if mine[0] == "ok" or said[0] == "ok":
        assert mine == said, template
    else:
        assert mine[0] == said[0], (template, mine, said)


SAMPLES = [
    UPSTREAM_DEFAULT,
    "",
    "plain",
    "{{.Request.Method}} {{.Request.RequestURI}} {{.Request.Proto}} {{.Request.Host}} {{.Request.ContentLength}}",
    "{{.Request.ProtoMajor}}.{{.Request.ProtoMinor}} {{.Request.ProtoAtLeast 1 1}} {{.Request.ProtoAtLeast 2 0}}",
    "{{.Request.URL}} {{.Request.URL.Path}} {{.Request.URL.RawPath}} {{.Request.URL.RawQuery}} {{.Request.URL.String}}",
    "{{.Request.URL.Query}} {{.Request.URL.Query.Get `q`}} {{.Request.URL.Query.lang}} {{.Request.URL.Query.Encode}}",
    "{{.Request.URL.IsAbs}} {{.Request.URL.Host}}|{{.Request.URL.Hostname}}|{{.Request.URL.Port}}",
    '{{.Request.Header.Get "user-agent"}} {{.Request.Header.Values "accept"}} {{.Request.Header.Get "none"}}|',
    '{{index .Request.Header "X-B3-Traceid"}} {{index .Request.Header "x-b3-traceid"}} {{.Request.Header.Accept}}',
    '{{index .Request.Header "Accept" 1}} {{index (index .Request.Header "Accept") 0}} {{.Request.Header.Missing}}',
    "{{.Request.Header}}",
    "{{.Request.UserAgent | js}} {{.Request.Referer | html}} {{.Request.UserAgent | urlquery}}",
    "{{.Response}} {{.Response.Code}} {{.Response.Size}} {{.Response.Latency}} {{print .Response}}",
    "{{.Revision}} {{.Revision.Name}} {{.Revision.PodIP}} {{printf `%+v` .Revision}}",
    "{{.TraceID}} {{.Request.TLS}} {{if .Request.TLS}}https{{else}}http{{end}}",
    "{{if eq .Response.Code 200}}ok{{else if ge .Response.Code 500}}bad{{else if lt .Response.Code 500}}meh{{end}}",
    "{{if and .Request.TLS (eq .Response.Code 404)}}a{{else}}b{{end}} {{or .Request.TLS `x`}} {{not .Request.TLS}}",
    "{{with .Request.Header}}{{.Accept}} {{.Get `accept`}}{{$.TraceID}}{{end}} {{with .Request.TLS}}x{{else}}y{{end}}",
    "{{with .Request.TLS}}x{{else with .TraceID}}{{.}}{{else}}z{{end}}",
    "{{range $k, $v := .Request.Header}}{{$k}}={{index $v 0}};{{end}}",
    "{{range .Request.Header}}{{.}};{{end}} {{range $i, $e := .Request.Header.Accept}}{{$i}}{{$e}},{{end}}",
    "{{range .Request.Header.Missing}}x{{else}}none{{end}} {{range 3}}{{.}}{{end}} {{range $i := 2}}{{$i}}{{end}}",
    "{{range $i, $e := .Request.Header.Accept}}{{if $i}}{{break}}{{end}}{{$e}}{{end}}",
    "{{range .Request.Header}}{{if eq (len .) 1}}{{continue}}{{end}}{{.}}{{end}}",
    "{{$x := 1}}{{$y := $x}}{{if true}}{{$x = 2}}{{$y := 3}}{{end}}{{$x}}{{$y}}",
    "{{$c := .Response.Code}}{{if gt $c 399}}{{printf `%d!` $c}}{{end}}{{$c | printf `%05d`}}",
    "{{- /* a comment */ -}} x {{- ` y ` -}} z {{/* b */}}.",
    "a {{- 1 }} b {{ 2 -}} c",
    "{{len .Request.UserAgent}} {{len .Request.Header}} {{len `ä`}} {{slice `hello` 1 3}} {{index `hello` 1}}",
    "{{slice .Request.Header.Accept 1}} {{slice `abc`}} {{slice `abc` 3}}",
    "{{print 1 2 `a` `b` 3 4.5 true nil}}|{{println 1 `a`}}|{{print}}",
    '{{printf "%s|%10s|%-10s|%.2s|%q|%x|%X|% x|%#x|%v|%T" "ab" "ab" "ab" "abc" "a\\"\\n" "ab" "ab" "ab" "ab" "ab" "a"}}',
    '{{printf "%d|%5d|%-5d|%05d|%+d|%x|%X|%#x|%o|%O|%b|%c|%U|%v|%T|% d|%.3d" 5 5 5 5 5 255 255 255 8 8 5 65 65 5 5 5 5}}',
    '{{printf "%f|%.2f|%8.3f|%-8.1f|%08.2f|%e|%E|%g|%G|%v|%+.1f|%T" 1.5 1.5 1.5 1.5 -1.5 1.5 1.5 1e21 1e-7 1e6 2.5 1.5}}',
    '{{printf "%t|%5t|%v|%d" true false true true}} {{printf "%z %!" 3}} {{printf "%d"}} {{printf "x" 1 "a" nil}}',
    '{{printf "%d %s %v %t" "a" 5 nil 1.5}} {{printf "%s" nil}} {{printf "%v %s %d" .Request.Header.Accept "x" 1}}',
    '{{printf "%s %q %d" .Request.Header.Accept .Request.Header.Accept .Request.Header.Accept}}',
    '{{printf "%v %s %q" .Request.URL .Request.URL .Request.URL}} {{printf "%v %+v" .Response .Response}}',
    '{{printf "%6.2f%%" .Response.Latency}} {{.Response.Latency | printf "%.3f"}} {{printf "%d" .Request.ContentLength}}',
    '{{printf "%s" .Request.ContentLength}} {{printf "%v" .Request.TLS}} {{printf "%05s|%-05d|%+q|%#q" "a" 3 "ä" "a`b"}}',
    "{{1.5}} {{1e3}} {{0x1F}} {{0b101}} {{0o17}} {{017}} {{1_000}} {{'a'}} {{'\\n'}} {{.5}} {{+3}} {{-2}} {{0x1p4}}",
    "{{1e6}} {{123456789.0}} {{0.00001}} {{100000.0}} {{12345678.5}} {{1e100}} {{0.1}} {{5e-324}}",
    '{{"\\x41\\u00e4\\101\\t"}} {{`raw \\n`}} {{"\\xff"}} {{len "\\xff"}}',
    "{{eq 1 1}} {{eq 1 2 1}} {{ne 1 2}} {{eq `a` `a`}} {{lt `a` `b`}} {{le 1 1}} {{gt 2.5 1.5}} {{ge 1 2}} {{eq true true}}",
    "{{eq nil nil}} {{eq .Request.Header.Missing nil}} {{ne .Request.TLS nil}} {{eq `a` nil}}",
    "{{and 1 0 2}} {{or 0 `` `x`}} {{and}} ",
    "{{and 1 2}}{{or 0 0}}{{and `` (index 1 2)}}",
    "{{js nil}} {{html nil}} {{html 1 2 `<`}} {{js `=\\``}} {{urlquery `a b` `&`}} {{js .Response}} {{js .Request.URL}}",
    "{{(.Request.Header.Get `accept`) | printf `%s-%s` `x`}} {{(index .Request.Header `Accept`) }}",
    "{{ .Request.Header.Get | printf `x` }}",
    "{{`accept` | .Request.Header.Get}} {{`accept` | .Request.Header.Get | len | printf `%03d`}}",
    "{{(.Response).Code}} {{(.Request.URL).Path}} {{$.Response.Code}} {{$r := .Request}}{{$r.Method}} {{$r.URL.Path}}",
    # Refused while running.
    "{{.Missing}}",
    "{{.Request.Missing}}",
    "{{.Response.Code.X}}",
    "{{.Request.Method.X}}",
    "{{.Request.Method `x`}}",
    "{{.Request.Header.Get 1}}",
    "{{.Request.Header.Get}}",
    "{{.Request.Header.Get nil}}",
    "{{.Request.Header.Accept `x`}}",
    "{{.Request.ProtoAtLeast `1` 1}}",
    "{{.Request.ProtoAtLeast 1.0 1}}",
    "{{index 1 2}} ",
    "{{index `abc` 3}}",
    "{{index `abc` -1}}",
    "{{index .Request.Header 1}}",
    "{{index nil 1}}",
    "{{slice `abc` 2 1}}",
    "{{slice 1}}",
    "{{len 1}}",
    "{{len nil}}",
    "{{eq 1 1.0}}",
    "{{eq 1}}",
    "{{eq}}",
    "{{lt 1 `a`}}",
    "{{lt nil 1}}",
    "{{lt true false}}",
    "{{eq .Request.Header .Request.Header}}",
    "{{nil}}",
    "{{1 2}}",
    "{{(1) 2}}",
    "{{printf 1}}",
    "{{range 1.5}}{{end}}",
    "{{range $i, $j := 3}}{{end}}",
    "{{range true}}{{end}}",
    "{{range `abc`}}{{.}}{{end}}",
    "{{$x := $x}}{{$x}}",
    "{{not}}",
    "{{.Response.Code | .Request.Header.Get}}",
    "{{(and .Missing 1)}}",
    # Refused while reading.
    "{{",
    "{{}}",
    "{{end}}",
    "{{else}}",
    "{{if}}{{end}}",
    "{{if 1}}",
    "{{if 1}}{{else}}{{else}}{{end}}",
    "{{range 1}}{{else if 1}}{{end}}",
    "{{if 1}}{{else with 1}}{{end}}",
    "{{with 1}}{{else if 1}}{{end}}{{end}}",
    "{{break}}",
    "{{range 1}}{{end}}{{continue}}",
    "{{missing 1}}",
    "{{$x}}",
    "{{$x = 1}}",
    "{{if $x := 1}}{{end}}{{$x}}",
    "{{.Request.Method.}}",
    "{{1 | 2}}",
    "{{. | `x`}}",
    "{{`x`.Foo}}",
    "{{1.Foo}}",
    "{{nil.Foo}}",
    "{{..Foo}}",
    "{{. .Foo}}",
    "{{(1}}",
    "{{1)}}",
    "{{()}}",
    "{{|}}",
    "{{1 |}}",
    "{{| 1}}",
    "{{`a}}",
    '{{"a}}',
    '{{"a\n"}}',
    '{{"\\z"}}',
    "{{'ab'}}",
    "{{''}}",
    "{{'a}}",
    "{{1x}}",
    "{{0x}}",
    "{{08}}",
    "{{1_}}",
    "{{99999999999999999999}}",
    "{{1e999}}",
    "{{18446744073709551615}}",
    "{{/* x }}",
    "{{/* x */ 1}}",
    "{{1 := 2}}",
    "{{$x, $y := 1}}",
    "{{range $x, 1 := 2}}{{end}}",
    "{{range $x, $y, $z := 2}}{{end}}",
    "{{range $x, }}{{end}}",
    "{{a,b}}",
    "{{#}}",
    "{{ä}}",
    "{{.ä}}",
    "{{$ä := 1}}{{$ä}}",
    "{{1: 2}}",
    "{{true}}{{false}}{{true.x}}",
    "{{-1}} {{- 1}} {{-}}",
    "{{1 -}}} }} {{`}}`}}",
    "{{1-}}",
    "{{.a-b}}",
    "{{ 1\n}}",
    "{{if true}}{{end 1}}",
    "{{print(1)}} {{print (1)(2)}} {{print`a`}}",
    "{{print 1`a`}}",
    "{{end}} {{if true}}",
]


@pytest.mark.spec("DP-142", "DP-145", "DP-147")
@pytest.mark.parametrize("template", SAMPLES)
def test_a_template_means_what_it_means_to_go(go, template):
    for made in (record(), record(target=b"/", headers=[], tls=False, status=200, latency_s=1e-7, content_length=0)):
        assert_same(go, template, made)


TARGETS = [
    b"/",
    b"/a?",
    b"/a?b",
    b"//x/y?z",
    b"/a%2Fb/%zz"[:7],
    b"/%C3%A4/\xc3\xa4",
    b"/a;b=c,d/e:f@g!h'i(j)k*l[m]",
    b"/a?x=%zz&y=1;2&&z&=3",
    b"/{x}|^",
    b"http://other.example:81/p?q=1",
    b"http://[::1]:80/",
    b"/a/../b/./c",
]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_taken_apart_as_go_does_it(go, target):
    template = (
        "{{.Request.RequestURI}} {{.Request.URL}} {{.Request.URL.Path}} {{.Request.URL.RawPath}} {{.Request.URL.EscapedPath}} "
        "{{.Request.URL.RawQuery}} {{.Request.URL.ForceQuery}} {{.Request.URL.Query}} {{.Request.URL.Scheme}} "
        "{{.Request.URL.Host}} {{.Request.URL.Hostname}} {{.Request.URL.Port}} {{.Request.URL.RequestURI}}"
    )
    assert_same(go, template, record(target=target))


PRINTED = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cn", "Co"], max_codepoint=0x2FFF), max_size=12)
HEADER_VALUE = st.binary(max_size=20).map(lambda b: bytes(c for c in b if c >= 32 and c != 127).strip())
ESCAPING = (
    "{{js .Request.UserAgent}}|{{html .Request.UserAgent}}|{{urlquery .Request.UserAgent}}|{{len .Request.UserAgent}}"
)
RELAXED = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(value=HEADER_VALUE, code=st.integers(100, 999), size=st.integers(0, 2**40), latency=st.floats(0, 1e9))
def test_values_are_escaped_and_printed_as_go_does_it(go, value, code, size, latency):
    made = record(headers=[(b"User-Agent", value)], status=code, response_bytes=size, latency_s=latency)
    assert_same(
        go,
        ESCAPING + "|{{.Response}}|{{printf `%q %x %.2f %e` .Request.UserAgent .Request.UserAgent "
        "$.Response.Latency $.Response.Latency}}",
        made,
    )


DIRECTIVE = st.tuples(
    st.text("+- 0#", max_size=2),
    st.sampled_from(["", "1", "8", "12"]),
    st.sampled_from(["", ".", ".0", ".2", ".7"]),
    st.sampled_from("vsdqxXtfFeEgGboOcUTz"),
).map(lambda d: "%" + "".join(d))
VALUES = ["5", "-7", "0", "255", "1.5", "-0.25", "1e21", "0.0", "true", "`a b`", "``", "`ä\\`", "nil",
          ".Response.Code", ".Response.Latency", ".Request.ContentLength", ".Request.Header.Accept", ".Request.URL",
          "(index `a` 0)", ".Response", ".Request.TLS", ".Request.Header.Missing"]  # fmt: skip


@RELAXED
@given(pairs=st.lists(st.tuples(DIRECTIVE, st.sampled_from(VALUES)), min_size=1, max_size=3), extra=st.booleans())
def test_printf_prints_what_go_prints_or_is_refused_by_name(go, pairs, extra):
    # The type of the log's own structs has another name in the test's Go program.
    pairs = [(d, "1" if d.endswith("T") and v == ".Response" else v) for d, v in pairs]
    pattern = " ".join(d for d, _ in pairs)
    template = f'{{{{printf "{pattern}" {" ".join(v for _, v in pairs)}{" 1" if extra else ""}}}}}'
    mine = ours(template, record())
    if mine[0] == "ok" or b"not supported" not in mine[1]:
        assert_same(go, template, record())


PIECES = ["{{", "}}", "{{- ", " -}}", "if ", "else", "end", "range ", "with ", ".Request", ".Method", ".", "$x", ":=", "=", " ", "|",
          "(", ")", "1", "`a`", '"b"', "eq ", "index ", "text", "\n", ",", "$", "true", "nil", "break", "{{end}}", "{{else}}",
          "{{if .TraceID}}", "{{range .Request.Header}}", "{{with .Request}}", "{{$x := 1}}", "{{.}}", "{{$x}}"]  # fmt: skip
SIDE_BY_SIDE = settings(RELAXED, max_examples=500)


@SIDE_BY_SIDE
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_any_text_is_accepted_or_refused_as_go_does_it(go, pieces):
    template = "".join(pieces)
    mine = ours(template, record())
    if b"not supported" in mine[1] or b"{{.}}" in template.encode():
        return
    assert_same(go, template, record())


@pytest.mark.parametrize(
    ("template", "place", "what"),
    [
        ("{{.Request.Body}}", "1:3", "Body"),
        ("a\nb {{.Request.FormValue `x`}}", "2:5", "FormValue"),
        ("{{if 1}}\n{{define `x`}}{{end}}{{end}}", "2:3", "define"),
        ("{{template `x`}}", "1:3", "template"),
        ("{{block `x` .}}{{end}}", "1:3", "block"),
        ("{{call .Request.Method}}", "1:3", "call"),
        ("{{1i}}", "1:3", "complex"),
        ("{{printf `%*d` 1 2}}", "1:3", "'*'"),
        ("{{printf `%[1]d` 1}}", "1:3", "'['"),
        ("{{printf `%p` 1}}", "1:3", "%p"),
        ("{{.Request.TLS.Version}}", "1:3", "Version"),
    ],
)
@pytest.mark.spec("DP-146")
def test_what_is_not_supported_is_named_at_start_with_its_place(template, place, what):
    with pytest.raises(TemplateError) as caught:
        Template(template)
    assert f"template:{place}: " in str(caught.value)
    assert what in str(caught.value)
    assert "not supported" in str(caught.value)
