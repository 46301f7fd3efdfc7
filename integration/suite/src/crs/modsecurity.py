"""Judges requests by ModSecurity: a request a line in, the numbers of the rules that it logs a line out.

`modsecurity.py RULES SETUP PARANOIA VARIABLES REQUESTS ANSWERS`. A line holds, parted by tabs, method, target, version,
header fields and body of the request, then status, header fields and body of its answer, or nothing; all as
hexadecimal digits but the status, a field as `name:value`, parted by commas.
"""

import glob
import os
import shutil
import sys
import tempfile

import libmodsecurity

# What ModSecurity's recommended configuration says of bodies.
BEFORE = """
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json application/xml
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 13107200
SecResponseBodyLimit 13107200
SecArgumentSeparator &
SecCookieFormat 0
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\\+|/)|text/)xml" \
 "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/(?:[a-z0-9.-]+[+])?json" \
 "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecAction "id:199999,phase:1,pass,nolog,{}"
"""


def rules(folder, setup, paranoia, variables, is_read=False):
    given = [f"setvar:'tx.{pair.strip()}'" for pair in variables.split(",")]
    for level in ("blocking_paranoia_level", "detection_paranoia_level", "paranoia_level"):
        given.append(f"setvar:'tx.{level}={paranoia}'")
    compiled = libmodsecurity.RulesSet()
    if compiled.load(BEFORE.replace("{}", ",".join(given))) < 1:
        sys.exit(compiled.get_parser_error())
    with tempfile.TemporaryDirectory() as copied:
        own = shutil.copytree(folder, os.path.join(copied, "rules"))
        files = [shutil.copy(setup, os.path.join(copied, "setup.conf"))] if setup else []
        for path in files + sorted(glob.glob(os.path.join(own, "*.conf"))):
            as_documented(path, is_read)
            if compiled.load_from_uri(path) < 0:
                sys.exit(f"{path}: {compiled.get_parser_error()}")
    return compiled


def as_documented(path, is_read):
    """What ModSecurity 3 does otherwise than its manual, version 2 and Coraza: it has `^` and `$` hold at every line, and
    fills REQUEST_BODY also where the body was read as multipart, JSON or XML."""
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("@rx ", "@rx (?-m)")
    if is_read:
        text = text.replace("|REQUEST_BODY", "").replace("REQUEST_BODY|", "")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def fields(text):
    for field in filter(None, text.split(",")):
        name, _, value = field.partition(":")
        yield bytes.fromhex(name), bytes.fromhex(value)


def judge(engine, compiled, line):
    """By the second of the sets of rules where the body is read as what it says it is."""
    method, target, version, headers, body, status, answered, answer = line.split("\t")
    fields_sent = list(fields(headers))
    kind = b"".join(value.lower() for name, value in fields_sent if name == b"content-type")
    is_read = any(part in kind for part in (b"multipart/", b"json", b"xml"))
    transaction = libmodsecurity.Transaction(engine, compiled[is_read])
    transaction.process_connection("192.0.2.1", 1, "192.0.2.2", 80)
    version = bytes.fromhex(version).removeprefix(b"HTTP/")
    transaction.process_uri(bytes.fromhex(target), bytes.fromhex(method), version)
    for name, value in fields_sent:
        transaction.add_request_header(name, value)
    transaction.process_request_headers()
    if body:
        transaction.append_request_body(bytes.fromhex(body))
    transaction.process_request_body()
    if status:
        for name, value in fields(answered):
            transaction.add_response_header(name, value)
        transaction.process_response_headers(int(status), "HTTP/1.1")
        transaction.append_response_body(bytes.fromhex(answer))
        transaction.process_response_body()
    found = {message.rule_id for message in transaction.get_rule_messages()}
    return " ".join(str(number) for number in sorted(found))


def main():
    folder, setup, paranoia, variables, requests, answers = sys.argv[1:]
    engine = libmodsecurity.ModSecurity()
    engine.set_log_callback(lambda text: None)
    compiled = [rules(folder, setup, paranoia, variables, is_read) for is_read in (False, True)]
    with open(requests) as lines, open(answers, "w") as out:
        for line in lines:
            out.write(judge(engine, compiled, line.rstrip("\n")) + "\n")


main()
# The module's destructors fail as the interpreter ends.
os._exit(0)
