"""Readers of the formats, none of them ours: each reads one file as its users do, and prints as JSON what it found there.

    read.py junit REPORT SCHEMA | nagios OUTPUT | markdown REPORT | csv REPORT | otlp REPORT | collector
"""

import base64
import binascii
import copy
import csv
import json
import re
import sys


def junit(path, schema):
    import junitparser
    import xmlschema

    xmlschema.XMLSchema(schema).validate(path)
    cases = [case for suite in junitparser.JUnitXml.fromfile(path) for case in suite]
    kinds = [type(result).__name__ for case in cases for result in case.result]
    return {
        "cases": len(cases),
        "failures": kinds.count("Failure"),
        "errors": kinds.count("Error"),
        "skipped": kinds.count("Skipped"),
        "names": len({(case.classname, case.name) for case in cases}),
    }


def nagios(path):
    from pynag.Utils import PerfData

    text = open(path, encoding="utf-8").read()
    first, _, rest = text.partition("\n")
    status, _, data = first.partition("|")
    long, _, more = rest.partition("|")
    performance = (data + " " + " ".join(more.splitlines())).strip()
    metrics = PerfData(performance).metrics

    # It takes the quotes off a label that has spaces, and then misses them; and it does not know the guidelines' "U", for what was not measured.
    def valid(metric):
        if metric.value == "":
            return f"'{metric.label}'=U;" in performance
        quoted = copy.copy(metric)
        quoted.label = f"'{metric.label}'"
        return quoted.is_valid()

    return {
        "status": status,
        "long": long.splitlines(),
        "invalid": [metric.label for metric in metrics if not valid(metric)],
        "metrics": {metric.label: [metric.value, metric.uom, metric.warn, metric.crit] for metric in metrics},
        "bytes": len(text.encode()),
    }


def markdown(path):
    import cmarkgfm
    from cmarkgfm.cmark import Options

    text = open(path, encoding="utf-8").read()
    html = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
    tables = []
    for table in re.findall(r"<table>.*?</table>", html, re.S):
        rows = re.findall(r"<tr>.*?</tr>", table, re.S)
        tables.append([len(re.findall(r"<t[hd][ >]", row)) for row in rows])
    outside = re.sub(r"<(code|pre)>.*?</\1>", "", html, flags=re.S)
    return {
        "tables": tables,
        "tags": sorted(set(re.findall(r"<([a-z0-9]+)", html))),
        "mentions": re.findall(r"\S*@\S*", outside),
        "details": html.count("<details>"),
        "bytes": len(text.encode()),
    }


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    return {
        "columns": rows[0],
        "widths": sorted({len(row) for row in rows}),
        "rows": len(rows) - 1,
        "formulas": [field for row in rows for field in row if re.match(r"\s*[=+\-@\t\r＝＋－＠]", field)],
        "outcomes": len({row[rows[0].index("outcome")] for row in rows[1:]}) if "outcome" in rows[0] else None,
    }


def spans_of(body):
    """The spans of a request, refused unless it is exactly what opentelemetry-proto describes."""
    from google.protobuf import json_format
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    def in_base64(value):
        # OTLP writes ids in hexadecimal, where protobuf's own JSON has base64 (OTLP specification, JSON Protobuf encoding).
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("traceId", "spanId", "parentSpanId"):
                    length = 32 if key == "traceId" else 16
                    if not re.fullmatch(r"[0-9a-f]{%d}" % length, inner):
                        raise ValueError(f"{key} {inner!r}")
                    value[key] = base64.b64encode(binascii.unhexlify(inner)).decode()
                else:
                    in_base64(inner)
        elif isinstance(value, list):
            for inner in value:
                in_base64(inner)
        return value

    request = json_format.ParseDict(in_base64(json.loads(body)), ExportTraceServiceRequest(), ignore_unknown_fields=False)
    spans = []
    for resource in request.resource_spans:
        names = {attribute.key for attribute in resource.resource.attributes}
        if "service.name" not in names:
            raise ValueError("no service.name")
        for scope in resource.scope_spans:
            spans += scope.spans
    ids = {span.span_id for span in spans}
    for span in spans:
        keys = [attribute.key for attribute in span.attributes]
        if len(keys) != len(set(keys)) or not span.name or span.kind == 0 or not any(span.trace_id) or not any(span.span_id):
            raise ValueError(f"span {span.name}")
        if span.parent_span_id and span.parent_span_id not in ids:
            raise ValueError("an orphan")
        if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
            raise ValueError("times")
    names = [span.name for span in spans]
    return {
        "traces": len({span.trace_id for span in spans}),
        "roots": sum(not span.parent_span_id for span in spans),
        "ids": len(ids),
        "spans": {name: names.count(name) for name in sorted(set(names))},
        "errors": sum(span.name == "mailflow probe" and span.status.code == 2 for span in spans),
    }


def otlp(path):
    lines = open(path, encoding="utf-8").read().splitlines()
    if len(lines) != 1:
        raise ValueError("one line")
    return spans_of(lines[0])


def collector():
    """Says its port; busy at first, then takes one trace, tells what it got, and ends."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            asked.append(self.path)
            if len(asked) == 1:
                self.send_response(503)
                self.send_header("retry-after", "0")
                self.end_headers()
                return
            found = spans_of(body)
            found["path"] = self.path
            found["content"] = self.headers["content-type"]
            found["authorization"] = self.headers["authorization"]
            print(json.dumps(found), flush=True)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"partialSuccess":{}}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.handle_request()
    server.handle_request()


if __name__ == "__main__":
    verbs = {"junit": junit, "nagios": nagios, "markdown": markdown, "csv": table, "otlp": otlp, "collector": collector}
    told = verbs[sys.argv[1]](*sys.argv[2:])
    if told is not None:
        print(json.dumps(told))
