"""Answers what ModSecurity makes of values: lines `transformation hex` in, lines of hex out.

The value is the body of a request; a rule transforms it, encodes the result as hexadecimal digits, and logs those.
"""

import os
import sys

import libmodsecurity

RULES = """
SecRuleEngine On
SecRequestBodyAccess On
SecRule REQUEST_BODY "@rx ^[0-9a-f]*$" "id:1,phase:2,pass,log,t:none,t:{},t:hexEncode,capture,logdata:'%{{TX.0}}'"
"""


def rules(transformation):
    compiled = libmodsecurity.RulesSet()
    if compiled.load(RULES.format(transformation)) < 1:
        sys.exit(compiled.get_parser_error())
    return compiled


def ask(engine, compiled, value):
    transaction = libmodsecurity.Transaction(engine, compiled)
    transaction.process_connection("192.0.2.1", 1, "192.0.2.2", 80)
    transaction.process_uri("/", "POST", "1.1")
    transaction.add_request_header("Content-Type", "text/plain")
    transaction.process_request_headers()
    transaction.append_request_body(value)
    transaction.process_request_body()
    messages = transaction.get_rule_messages()
    return messages[0].data if messages else "none"


def main():
    engine = libmodsecurity.ModSecurity()
    engine.set_log_callback(lambda text: None)
    known = {}
    with open(sys.argv[1]) as questions, open(sys.argv[2], "w") as answers:
        for line in questions:
            name, _, value = line.rstrip("\n").partition(" ")
            if name not in known:
                known[name] = rules(name)
            answers.write(ask(engine, known[name], bytes.fromhex(value)) + "\n")


main()
# The module's destructors fail as the interpreter ends.
os._exit(0)
