//! Rules in SecLang from their text to what fires: what chains, groups, variables, counts and removals come to.

use policy_compiler::source::Memory;
use policy_compiler::{Input, Release, compile, diag};
use portcullis_bundle::{Bundle, Trust};
use portcullis_engine::exchange::{Conditions, Exchange, Progress, RequestHead};
use std::collections::BTreeSet;

const POLICY: &str = "version: 1
name: guarded
mode: monitor
undeclared: { operations: allow }
attacks:
  mode: monitor
  unreadable_bodies: allow
  rules: [{ crs: waf, setup: setup.conf, paranoia: 2 }]
apis: [{ name: none, documents: [none.yaml] }]
";

const SETUP: &str = r#"
SecAction "id:900000,phase:1,pass,nolog,setvar:tx.critical=5,setvar:tx.inbound_anomaly_score_threshold=7"
SecAction "id:900001,phase:1,pass,nolog,setvar:'tx.allowed=|text/plain| |application/json| |application/x-www-form-urlencoded|'"
"#;

const RULES: &str = r#"
SecRule &TX:critical "@eq 0" "id:1,phase:1,deny,msg:'no set-up'"
SecRule REQUEST_HEADERS:X-Trusted "@streq yes" "id:2,phase:1,pass,nolog,ctl:ruleRemoveTargetById=10;ARGS:note"
SecRule REQUEST_HEADERS:X-Admin "@streq yes" "id:3,phase:1,pass,nolog,ctl:ruleRemoveById=11-12"
SecRule ARGS|!ARGS:free "@pmFromFile 10-words.data" \
    "id:10,phase:2,block,t:none,t:lowercase,msg:'A word',tag:'words',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical}'"
SecRule ARGS_NAMES "@rx ^json\.secret\.key$" "id:11,phase:2,deny,msg:'A name'"
SecRule ARGS "@rx ^(\w+)=(\w+)$" "id:12,phase:2,deny,capture,t:none,msg:'Tautology',chain"
    SecRule TX:1 "@streq %{TX.2}" "t:none"
SecRule ARGS "@rx shell" "id:13,phase:2,deny,msg:'Twice in one value',chain"
    SecRule MATCHED_VARS "@rx /bin/" "t:none,t:urlDecode"
SecRule REQUEST_HEADERS:Content-Type "@rx ^[^;\s]+" \
    "id:14,phase:1,deny,capture,t:none,msg:'Media type',setvar:'tx.media=|%{tx.0}|',chain"
    SecRule TX:media "!@within %{tx.allowed}" "t:lowercase"
SecRule &ARGS "@gt 5" "id:15,phase:2,deny,msg:'Many arguments'"
SecRule ARGS_NAMES "@rx ." "id:16,phase:2,pass,nolog,setvar:'TX.times_%{MATCHED_VAR_NAME}=+1'"
SecRule TX:/times_.*/ "@gt 2" "id:17,phase:2,deny,msg:'One name, many times'"
SecRule ARGS:url "!@endsWith %{request_headers.host}" "id:18,phase:2,deny,msg:'Another host'"
SecRule ARGS:skip "@streq on" "id:19,phase:2,pass,nolog,skipAfter:END"
SecRule ARGS "@contains never" "id:20,phase:2,deny,msg:'Skipped'"
SecMarker END
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 3" "id:21,phase:2,pass,nolog,skipAfter:END-ALL"
SecRule ARGS "@contains high" "id:22,phase:2,deny,msg:'Of a higher level'"
SecMarker END-ALL
SecRule REQUEST_COOKIES:/^t_\w+$/ "@rx x" "id:23,phase:1,deny,msg:'A cookie'"
SecRule REQBODY_PROCESSOR "@streq JSON" "id:24,phase:2,pass,nolog,ctl:ruleRemoveById=25"
SecRule ARGS "@rx no-json" "id:25,phase:2,deny,msg:'Not in JSON'"
SecRule ARGS:gone "@rx ." "id:26,phase:2,deny,msg:'Removed'"
SecRule GEO:COUNTRY "@streq XX" "id:27,phase:1,deny,msg:'Refused'"
SecRule ARGS "!@pm good fine" "id:28,phase:2,deny,msg:'No good word',chain"
    SecRule REQUEST_METHOD "@streq PUT"
SecRuleUpdateTargetById 20 "!ARGS:old"
SecRuleRemoveById 26
"#;

struct Gateway {
    bundle: Bundle,
    said: Vec<(String, String)>,
}

impl Gateway {
    fn open(rules: &str) -> Gateway {
        let files = Memory::new([
            ("policy.yaml", POLICY),
            ("none.yaml", "openapi: 3.1.0\ninfo: { title: none, version: '1' }\npaths: {}\n"),
            ("setup.conf", SETUP),
            ("waf/10-words.data", "# words\nevil-one\nEvil-Two\n"),
            ("waf/20-rules.conf", rules),
        ]);
        let input = Input::Policy("policy.yaml".to_owned());
        let output = compile(&files, &input, &Release::default());
        let said = output.diagnostics.sorted();
        let said = said.iter().map(|it| (it.code.id.to_owned(), it.title.clone())).collect();
        let Some(bytes) = output.bundle else {
            panic!("{}", diag::render_text(&output.diagnostics, &output.files, false))
        };
        let trust = Trust { keys: Vec::new(), allow_unsigned: true };
        Gateway { bundle: Bundle::open(bytes, &trust).unwrap(), said }
    }

    fn fired(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> BTreeSet<u32> {
        let proposed = self.fired_by(method, path, headers, body, false);
        assert_eq!(proposed, self.fired_by(method, path, headers, body, true), "{path} {body}");
        proposed
    }

    fn fired_by(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        every: bool,
    ) -> BTreeSet<u32> {
        let view = self.bundle.view();
        let pseudo = [(":method", method), (":path", path), (":authority", "bank.example")];
        let headers: Vec<(&[u8], &[u8])> = pseudo
            .iter()
            .chain(headers)
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let head = RequestHead {
            method: method.as_bytes(),
            path: path.as_bytes(),
            authority: b"bank.example",
            headers: &headers,
            end_of_stream: body.is_empty(),
        };
        let mut exchange = Exchange::new();
        exchange.try_every_rule(every);
        let mut progress = exchange.on_headers(&view, &head, Conditions::default());
        if matches!(progress, Progress::Body { .. }) {
            exchange.on_body(&view, body.as_bytes());
            progress = exchange.on_end(&view);
        }
        assert!(matches!(progress, Progress::Decided(_)));
        let silent = portcullis_bundle::layout::RULE_SILENT;
        let rules = exchange.fired_rules().filter_map(|rule| view.rules.get(rule as usize));
        let told = rules.filter(|rule| rule.flags & silent == 0);
        told.map(|rule| view.text(rule.id).parse().unwrap()).collect()
    }

    fn get(&self, query: &str) -> Vec<u32> {
        self.fired("GET", &format!("/x?{query}"), &[], "").into_iter().collect()
    }
}

fn ids(ids: &[u32]) -> Vec<u32> {
    ids.to_vec()
}

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[test]
fn rules_fire_as_they_say() {
    let gateway = Gateway::open(RULES);
    let left: Vec<_> = gateway.said.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(left, ["PC0107", "PC0824"], "{:?}", gateway.said);
    assert_eq!(gateway.bundle.view().attacks[0].threshold_inbound.get(), 7);
    let cases: [(&str, &[u32]); 17] = [
        ("q=hello", &[]),
        ("q=an+EVIL-one", &[10]),
        ("free=evil-one", &[]),
        ("q=a%3Da", &[12]),
        ("q=a%3Db", &[]),
        ("q=shell&p=/bin/", &[]),
        ("q=shell+%252Fbin%252F", &[13]),
        ("a=1&b=2&c=3&d=4&e=5", &[]),
        ("a=1&b=2&c=3&d=4&e=5&f=6", &[15]),
        ("a=1&a=2", &[]),
        ("a=1&a=2&A=3", &[17]),
        ("url=https://bank.example", &[]),
        ("url=https://other.example", &[18]),
        ("q=never", &[20]),
        ("q=never&skip=on", &[]),
        ("old=never", &[]),
        ("q=high&gone=x", &[]),
    ];
    for (query, wanted) in cases {
        assert_eq!(gateway.get(query), wanted, "{query}");
    }
}

#[test]
fn rules_fire_on_headers_and_bodies() {
    let gateway = Gateway::open(RULES);
    let fired = |path: &str, headers: &[(&str, &str)], body: &str| -> Vec<u32> {
        let method = if body.is_empty() { "GET" } else { "POST" };
        gateway.fired(method, path, headers, body).into_iter().collect()
    };
    assert_eq!(fired("/x", &[JSON], r#"{"secret": {"key": 1}}"#), ids(&[11]));
    assert_eq!(fired("/x", &[JSON, ("x-admin", "yes")], r#"{"secret": {"key": 1}}"#), ids(&[]));
    assert_eq!(fired("/x", &[JSON], r#"{"a": [{"b": "evil-two"}]}"#), ids(&[10]));
    assert_eq!(fired("/x", &[JSON], r#"{"a": "no-json"}"#), ids(&[]));
    assert_eq!(fired("/x", &[FORM], "a=no-json"), ids(&[25]));
    assert_eq!(fired("/x", &[FORM], "note=evil-one"), ids(&[10]));
    assert_eq!(fired("/x", &[FORM, ("x-trusted", "yes")], "note=evil-one"), ids(&[]));
    assert_eq!(fired("/x", &[FORM, ("x-trusted", "yes")], "other=evil-one"), ids(&[10]));
    assert_eq!(fired("/x", &[FORM], "q=never&skip=on"), ids(&[]));
    assert_eq!(fired("/x", &[("content-type", "TEXT/plain; a=b")], "a"), ids(&[]));
    assert_eq!(fired("/x", &[("content-type", "image/png")], "a"), ids(&[14]));
    assert_eq!(fired("/x", &[("cookie", "t_a=x; b=x")], ""), ids(&[23]));
    assert_eq!(fired("/x", &[("cookie", "ta=x; u=x")], ""), ids(&[]));
    let put = |query: &str| gateway.fired("PUT", query, &[], "").into_iter().collect::<Vec<_>>();
    assert_eq!((put("/x?q=good"), put("/x?q=bad")), (vec![], vec![28]));
}

#[test]
fn what_cannot_be_enforced_is_told() {
    let rules = r#"
SecRule TIME_HOUR "@gt 5" "id:1,phase:1,deny"
SecRule ARGS "@rx (?=a)b" "id:2,phase:2,deny"
SecRule ARGS "@rx (a)" "id:3,phase:2,deny,setvar:tx.x=%{ENV.y},chain"
    SecRule TX:x "@streq z"
SecRule TX:ANOMALY_SCORE "@ge 5" "id:4,phase:2,deny"
SecRule ARGS "@rx a" "id:5,phase:2,deny"
SecRule TX:DETECTION_INBOUND_ANOMALY_SCORE "@ge 20000" "id:6,phase:2,deny"
"#;
    let gateway = Gateway::open(rules);
    let told: Vec<&str> = gateway.said.iter().filter_map(|(_, title)| title.get(..6)).collect();
    assert_eq!(told[1..], ["rule 1", "rule 2", "rule 3"], "{:?}", gateway.said);
    assert_eq!(gateway.get("q=a"), [4, 5]);
    assert_eq!(gateway.get("q=b"), ids(&[]));
}

/// Rules as operators tune them: before and after a set of others.
const TUNED: &str = r#"
SecRule REQUEST_FILENAME "@beginsWith /blog" "id:1,phase:1,pass,nolog,ctl:ruleRemoveByTag=attack-a"
SecRule REQUEST_FILENAME "@beginsWith /shop" "id:2,phase:1,pass,nolog,ctl:ruleRemoveTargetByTag=attack-a;ARGS:/^free_/"
SecRule REQUEST_FILENAME "@beginsWith /mail" "id:3,phase:1,pass,nolog,ctl:ruleRemoveByMsg=Second"
SecRule REQUEST_FILENAME "@beginsWith /off" "id:4,phase:1,pass,nolog,ctl:ruleEngine=Off"
SecRule REQUEST_HEADERS:X-Flag "@streq on" "id:5,phase:1,pass,nolog,setvar:tx.flag=1"
SecRule ARGS "@contains alpha" "id:10,phase:2,deny,msg:'First',tag:'attack-a'"
SecRule ARGS "@contains beta" "id:11,phase:2,deny,msg:'Second one',tag:'attack-b'"
SecRule ARGS "@contains gamma" "id:12,phase:2,deny,msg:'Third',tag:'gone-x'"
SecRule ARGS "@contains delta" "id:13,phase:2,deny,msg:'Fourth, gone'"
SecRule ARGS "@contains eps" "id:14,phase:2,deny,msg:'Fifth',chain"
    SecRule REQUEST_METHOD "@streq PUT" "t:none"
SecRule TX:flag "@eq 1" "id:15,phase:2,deny,msg:'Flagged',chain"
    SecRule ARGS:f "@rx ."
SecRule &TX:flag "@eq 0" "id:16,phase:2,deny,msg:'Not flagged',chain"
    SecRule ARGS:n "@rx ."
SecRule ARGS:ban "@streq me" "id:17,phase:2,pass,nolog,setvar:'ip.banned=1'"
SecRule IP:banned "@eq 1" "id:18,phase:2,deny,msg:'Banned'"
SecRule REQUEST_METHOD "!@streq %{ARGS._method}" "id:19,phase:2,deny,msg:'Another method',t:lowercase"
SecRule &ARGS:cs "@gt 0" "id:20,phase:2,deny,msg:'Charset',setvar:'tx.cs=|%{ARGS.cs}|',chain"
    SecRule TX:cs "!@within |utf-8| |latin1|" "t:lowercase"
SecRule ARGS "@rx ^x-(\w+)$" "id:21,phase:2,deny,capture,t:lowercase,msg:'Lower case, then a group',chain"
    SecRule TX:1 "@streq abc"
SecRuleRemoveByTag "^gone-"
SecRuleRemoveByMsg "gone$"
SecRuleUpdateTargetByTag "attack-b" "!ARGS:quiet"
SecRuleUpdateTargetByMsg "First" "!ARGS:calm"
SecRuleUpdateTargetById 14 "ARGS:only" "ARGS"
SecRuleUpdateActionById 11 "nolog,pass"
"#;

#[test]
fn rules_are_tuned_as_operators_do() {
    let gateway = Gateway::open(TUNED);
    let said: Vec<_> = gateway.said.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(said, ["PC0107", "PC0825"], "{:?}", gateway.said);
    let fired = |method: &str, path: &str, headers: &[(&str, &str)]| -> Vec<u32> {
        gateway.fired(method, path, headers, "").into_iter().collect()
    };
    let get = |path: &str| fired("GET", path, &[]);
    for (path, wanted) in [
        ("/x?q=alpha", &[10][..]),
        ("/blog?q=alpha", &[]),
        ("/shop?q=alpha", &[10]),
        ("/shop?free_q=alpha", &[]),
        ("/x?calm=alpha", &[]),
        ("/off?q=alpha", &[]),
        ("/mail?q=beta+alpha", &[10]),
        ("/x?q=gamma+delta", &[]),
        ("/x?n=1", &[16]),
        ("/x?f=1", &[]),
        ("/x?ban=me", &[18]),
        ("/x?ban=you", &[]),
        ("/x?_method=get", &[]),
        ("/x?_method=delete", &[19]),
        ("/x?cs=UTF-8", &[]),
        ("/x?cs=utf-7", &[20]),
        ("/x?q=X-ABC", &[21]),
        ("/x?q=X-ABD", &[]),
    ] {
        assert_eq!(get(path), wanted, "{path}");
    }
    assert_eq!(fired("PUT", "/x?q=eps", &[]), ids(&[]));
    assert_eq!(fired("PUT", "/x?only=eps", &[]), ids(&[14]));
    let flag = ("x-flag", "on");
    assert_eq!(fired("GET", "/x?f=1&n=1", &[flag]), ids(&[15]));
}

const BODIES: &str = r#"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:1,phase:2,deny,msg:'Not strict'"
SecRule MULTIPART_UNMATCHED_BOUNDARY "@eq 1" "id:2,phase:2,deny,msg:'A boundary'"
SecRule REQBODY_ERROR "!@eq 0" "id:3,phase:2,deny,msg:'Not read'"
SecRule URLENCODED_ERROR "@eq 1" "id:4,phase:2,deny,msg:'An escape'"
SecRule FILES "@rx \.php$" "id:5,phase:2,deny,msg:'A file'"
SecRule ARGS "@contains alpha" "id:6,phase:2,deny,msg:'A value'"
SecRule MULTIPART_PART_HEADERS "@rx ^x-odd" "id:7,phase:2,deny,msg:'A field',t:lowercase"
SecRule MULTIPART_LF_LINE "@eq 1" "id:8,phase:2,deny,msg:'A line'"
"#;

/// Rules see what forgiving readers would take, before the strict reader's verdict.
#[test]
fn bodies_that_are_not_strict_reach_the_rules() {
    let gateway = Gateway::open(BODIES);
    let form = ("content-type", "multipart/form-data; boundary=b");
    let multipart = |text: &str| -> Vec<u32> {
        let text = text.replace('\n', "\r\n").replace("\r\n^", "\n");
        gateway.fired("POST", "/x", &[form], &text).into_iter().collect()
    };
    let part = "Content-Disposition: form-data; name=\"a\"";
    for (body, wanted) in [
        (format!("--b\n{part}\n\nok\n--b--\n"), &[][..]),
        (format!("--b\n{part}; filename=\"../x.php\"\n\nx\n--b--\n"), &[1, 3, 5]),
        (format!("--b\n{part}; filename='x.php'\n\nx\n--b--\n"), &[1, 3, 5]),
        (format!("--b\n{part}; filename=\"a\\b.php\"\n\nx\n--b--\n"), &[1, 3, 5]),
        (format!("junk\n--b\n{part}\n\nalpha\n--b--\n"), &[1, 3, 6]),
        (format!("--b\n{part}\n\nok\n--b--\njunk"), &[1, 3]),
        (format!("--b\n{part}\n\nalpha\n--b"), &[2, 3, 6]),
        (format!("--b\n^{part}\n^\n^alpha\n^--b--\n"), &[1, 3, 6, 8]),
        (format!("--b\n{part}\nX-Odd\n\nalpha\n--b--\n"), &[1, 3, 6, 7]),
        (format!("--b\n{part}\nContent-Type: application/xml\n\nalpha\n--b--\n"), &[3, 6]),
        (format!("--b \n{part}\n\nalpha\n--b--\n"), &[1, 3, 6]),
    ] {
        assert_eq!(multipart(&body), wanted, "{body}");
    }
    let form =
        |body: &str| gateway.fired("POST", "/x", &[FORM], body).into_iter().collect::<Vec<_>>();
    assert_eq!(form("a=%41lpha&b=1"), ids(&[]));
    assert_eq!(form("a=%4&b=alpha"), ids(&[3, 4, 6]));
    let json = gateway.fired("POST", "/x", &[JSON], "{\"a\": ").into_iter().collect::<Vec<_>>();
    assert_eq!(json, ids(&[3]));
}

#[test]
fn hostile_folders_are_compiled_or_told() {
    // Expressions that backtracking readers never end with are read in linear time; one too large is told.
    let hostile = r#"
SecRule ARGS "@rx ^(a+)+$" "id:1,phase:2,deny"
SecRule ARGS "@rx ^(?:(?:a|a)*)*b$" "id:2,phase:2,deny"
SecRule ARGS "@rx (?:x.{0,5000}y.{0,5000}){20}z" "id:3,phase:2,deny"
"#;
    let gateway =
        Gateway::open(&format!("{hostile}SecRule ARGS \"@contains end\" \"id:4,phase:2,deny\""));
    let long = format!("a={}", "a".repeat(4_000));
    assert_eq!(gateway.get(&long), ids(&[1]));
    assert_eq!(gateway.get(&format!("{long}b")), ids(&[2]));
    assert_eq!(gateway.get("a=end"), ids(&[4]));
    assert!(gateway.said.iter().any(|(_, title)| title.contains('3')), "{:?}", gateway.said);
    // As many rules as the largest folders have.
    let rule = |id: u32| format!("SecRule ARGS:n{id} \"@streq v{id}\" \"id:{id},phase:2,deny\"\n");
    let many: String = (1..=10_000).map(rule).collect();
    assert_eq!(Gateway::open(&many).get("n9999=v9999"), ids(&[9999]));
}
