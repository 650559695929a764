#!/usr/bin/env python3
"""What --metrics sends and writes is what OpenTelemetry's own messages and Prometheus' parser take.

usage: metrics_sinks.py VARVITE WORK-DIRECTORY
"""
import base64
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted."""
    seen = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen[self.path] = (self.headers["Content-Type"], body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


def run(varvite, *args):
    return subprocess.run([varvite, *args], check=True, capture_output=True, text=True).stdout.strip()


def check_metrics(body):
    request = json_format.Parse(body, ExportMetricsServiceRequest())
    scopes = request.resource_metrics[0].scope_metrics
    assert [scope.scope.name for scope in scopes] == ["py_hamt", "varvite"], scopes
    metrics = {metric.name: metric for scope in scopes for metric in scope.metrics}
    loads = metrics["py_hamt.cas.load.requests"].sum
    assert loads.is_monotonic and loads.aggregation_temporality == 2
    total = sum(point.as_int for point in loads.data_points)
    times = metrics["py_hamt.cas.load.duration"]
    assert times.unit == "s"
    assert sum(point.count for point in times.histogram.data_points) == total > 0
    for metric in metrics.values():
        for point in metric.histogram.data_points:
            assert sum(point.bucket_counts) == point.count
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
            assert point.start_time_unix_nano <= point.time_unix_nano
    return total


def identifier(field):
    """As it was sent: OTLP writes identifiers in hexadecimal, which protobuf's parser takes for base64."""
    return base64.b64encode(field).decode()


def check_traces(body, loads):
    request = json_format.Parse(body, ExportTraceServiceRequest())
    spans = request.resource_spans[0].scope_spans[0].spans
    assert sum(span.name == "py_hamt.cas.load" for span in spans) == loads
    known = {span.span_id for span in spans}
    assert len(known) == len(spans)
    for span in spans:
        assert re.fullmatch("[0-9a-f]{32}", identifier(span.trace_id))
        assert re.fullmatch("[0-9a-f]{16}", identifier(span.span_id))
        assert not span.parent_span_id or span.parent_span_id in known
        assert span.start_time_unix_nano <= span.end_time_unix_nano


def main():
    varvite, work = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    os.environ["VARVITE_STORE"] = run(varvite, "init", work)
    with open(os.path.join(work, "value"), "wb") as file:
        file.write(b"x" * 1000)
    root = run(varvite, "put", "-q", "a/b", os.path.join(work, "value"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"otlp:http://127.0.0.1:{server.server_port}"
    run(varvite, "get", root, "a/b", "-o", os.path.join(work, "got"), "--metrics", url)
    assert set(Collector.seen) == {"/v1/metrics", "/v1/traces"}, Collector.seen
    assert all(kind == "application/json" for kind, _ in Collector.seen.values())
    loads = check_metrics(Collector.seen["/v1/metrics"][1])
    check_traces(Collector.seen["/v1/traces"][1], loads)
    server.shutdown()

    path = os.path.join(work, "all.prom")
    run(varvite, "get", root, "a/b", "-o", os.path.join(work, "got"), "--metrics", path)
    with open(path) as file:
        families = {family.name: family for family in text_string_to_metric_families(file.read())}
    requests = families["py_hamt_cas_load_requests"]
    assert requests.type == "counter" and requests.documentation
    assert sum(sample.value for sample in requests.samples) == loads
    assert families["py_hamt_hamt_lookup_depth"].type == "histogram"

    path = os.path.join(work, "all.json")
    run(varvite, "get", root, "a/b", "-o", os.path.join(work, "got"), "--metrics", path)
    with open(path) as file:
        snapshot = json.load(file)
    assert snapshot["counters"]["cas_load.total"] == loads and snapshot["label"] == "get"
    print(f"metrics: {loads} loads seen by OpenTelemetry's messages and Prometheus' parser")


main()
