use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use super::*;
use crate::compare::testing;

/// An element of Ant's schema: the attributes that it must and may have, and its children in their order. None is
/// mixed: those without children here hold text.
struct Rule {
    element: &'static str,
    must: &'static [&'static str],
    may: &'static [&'static str],
    children: &'static [(&'static str, Times)],
}

#[derive(Clone, Copy, PartialEq)]
enum Times {
    Once,
    Any,
    /// At most one of all that are marked so.
    OneOfThese,
}

use Times::{Any, Once, OneOfThese};

/// What both schemas demand. Jenkins' allows more, but for `message` and `type` as the only attributes of a finding, and
/// for text in `testcase` and above, which neither has.
const RULES: [Rule; 10] = [
    Rule { element: "testsuites", must: &[], may: &[], children: &[("testsuite", Any)] },
    Rule {
        element: "testsuite",
        must: &["name", "package", "id", "hostname", "timestamp", "time", "tests", "failures", "errors"],
        may: &["skipped"],
        children: &[("properties", Once), ("testcase", Any), ("system-out", Once), ("system-err", Once)],
    },
    Rule { element: "properties", must: &[], may: &[], children: &[("property", Any)] },
    Rule { element: "property", must: &["name", "value"], may: &[], children: &[] },
    Rule {
        element: "testcase",
        must: &["name", "classname", "time"],
        may: &[],
        children: &[("skipped", OneOfThese), ("error", OneOfThese), ("failure", OneOfThese)],
    },
    Rule { element: "failure", must: &["type"], may: &["message"], children: &[] },
    Rule { element: "error", must: &["type"], may: &["message"], children: &[] },
    Rule { element: "skipped", must: &[], may: &["message"], children: &[] },
    Rule { element: "system-out", must: &[], may: &[], children: &[] },
    Rule { element: "system-err", must: &[], may: &[], children: &[] },
];

/// Where a document breaks the rules.
fn complaints(text: &str) -> Vec<String> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => return vec![error.to_string()],
    };
    let mut found = Vec::new();
    if document.root_element().tag_name().name() != "testsuites" {
        found.push("the root".to_owned());
    }
    for node in document.root_element().descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        let Some(rule) = RULES.iter().find(|rule| rule.element == name) else {
            found.push(format!("<{name}>"));
            continue;
        };
        let attributes: BTreeSet<&str> = node.attributes().map(|attribute| attribute.name()).collect();
        let missing = rule.must.iter().filter(|must| !attributes.contains(**must));
        found.extend(missing.map(|must| format!("<{name}> without {must}")));
        let unknown = attributes.iter().filter(|one| !rule.must.contains(one) && !rule.may.contains(one));
        found.extend(unknown.map(|unknown| format!("<{name}> with {unknown}")));
        found.extend(node.attributes().filter_map(|attribute| {
            let value = attribute.value();
            let right = match (name, attribute.name()) {
                ("testsuite", "id" | "tests" | "failures" | "errors" | "skipped") => value.parse::<i32>().is_ok(),
                (_, "time") => value.parse::<f64>().is_ok_and(f64::is_finite),
                // Without a timezone.
                (_, "timestamp") => value.len() == 19 && value.parse::<jiff::civil::DateTime>().is_ok(),
                ("testsuite" | "property", "name" | "hostname") => !value.trim().is_empty(),
                _ => true,
            };
            (!right).then(|| format!("<{name}> {}=\"{value}\"", attribute.name()))
        }));
        found.extend(misplaced(node, rule));
    }
    found
}

fn misplaced(node: Node, rule: &Rule) -> Vec<String> {
    let name = rule.element;
    let children: Vec<&str> = node.children().filter(Node::is_element).map(|child| child.tag_name().name()).collect();
    let mut found = Vec::new();
    if !rule.children.is_empty()
        && node.children().any(|child| child.text().is_some_and(|text| child.is_text() && !text.trim().is_empty()))
    {
        found.push(format!("text in <{name}>"));
    }
    let position = |child: &str| rule.children.iter().position(|(allowed, _)| *allowed == child);
    let positions: Vec<Option<usize>> = children.iter().map(|child| position(child)).collect();
    if positions.contains(&None) || !positions.is_sorted() {
        found.push(format!("children of <{name}>: {children:?}"));
    }
    for (child, times) in rule.children {
        let count = children.iter().filter(|one| *one == child).count();
        if *times == Once && count != 1 {
            found.push(format!("<{name}> has {count} of <{child}>"));
        }
    }
    let one_of = rule.children.iter().filter(|(_, times)| *times == OneOfThese).map(|(child, _)| *child);
    let one_of: Vec<&str> = one_of.collect();
    if children.iter().filter(|child| one_of.contains(child)).count() > 1 {
        found.push(format!("<{name}> has {children:?}"));
    }
    found
}

#[test]
fn a_check_as_tests() {
    insta::assert_snapshot!(render(&testing::everything()), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="qwen2.5-7b q4_k" package="bench" id="0" hostname="localhost" timestamp="1970-01-01T00:00:00" time="0" tests="10" failures="2" errors="0" skipped="2">
        <properties>
          <property name="check" value="run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45"/>
          <property name="outcome" value="Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing"/>
        </properties>
        <testcase classname="qwen2.5-7b q4_k" name="speed pp128+tg64 TTFT" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="speed pp128+tg64 decode" time="0">
          <failure type="regressed" message="decode was 20.0 tok/s and is 17.8 tok/s: -11.0 %, 99.4 % interval -11.7 … -10.2 %; the tolerance is 5 %">20.0 tok/s before, 17.8 tok/s now, n 20+20, change -11.0 % (-11.7 … -10.2 %), tolerance 5 %: regressed</failure>
        </testcase>
        <testcase classname="qwen2.5-7b q4_k" name="speed pp512+tg64 TTFT" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="speed pp512+tg64 decode" time="0">
          <skipped message="decode was 19.5 tok/s and is 18.7 tok/s: -4.1 %, 95 % interval -7.6 … -0.5 %, which reaches over the tolerance of 5 %; about 565 more trials on each side would decide; the smallest fall that this run could have seen is 10.1 %">19.5 tok/s before, 18.7 tok/s now, n 20+20, change -4.1 % (-7.6 … -0.5 %), tolerance 5 %: inconclusive</skipped>
        </testcase>
        <testcase classname="qwen2.5-7b q4_k" name="interview decode" time="0">
          <skipped message="too few prompts for an interval, 1 before and 1 now: it needs 5 more">19.0 tok/s before, 19.0 tok/s now, n 1+1, change —, tolerance 5 %: inconclusive</skipped>
        </testcase>
        <testcase classname="qwen2.5-7b q4_k" name="memory" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="load" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="Korean fidelity" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="Korean pass rate" time="0">
          <failure type="regressed" message="Korean pass rate was 20 of 20: 100 % (84 to 100) and is 11 of 20: 55 % (34 to 74): 9 lost (interview 00, interview 01, interview 02, interview 03, interview 04 and 4 more), 0 gained, p = 0.0039">qwen2.5-7b q4_k: 20 of 20: 100 % (84 to 100) before, 11 of 20: 55 % (34 to 74) now, tolerance 5 %: regressed</failure>
        </testcase>
        <testcase classname="qwen2.5-7b q4_k" name="answers" time="0"/>
        <system-out>speed pp128+tg64 TTFT: 500 ms before, 502 ms now, n 20+20, change +0.4 % (-0.2 … +1.0 %), tolerance 5 %: within noise
    speed pp128+tg64 decode: 20.0 tok/s before, 17.8 tok/s now, n 20+20, change -11.0 % (-11.7 … -10.2 %), tolerance 5 %: regressed
    speed pp512+tg64 TTFT: 2.00 s before, 1.60 s now, n 20+20, change -20.0 % (-20.7 … -19.3 %), tolerance 5 %: improved
    speed pp512+tg64 decode: 19.5 tok/s before, 18.7 tok/s now, n 20+20, change -4.1 % (-7.6 … -0.5 %), tolerance 5 %: inconclusive
    interview decode: 19.0 tok/s before, 19.0 tok/s now, n 1+1, change —, tolerance 5 %: inconclusive
    memory: 4.00 GiB before, 4.00 GiB now, n 1+1, change 0 % (-0.2 … +0.2 %), tolerance 5 %: within noise
    load: 4.20 s before, 4.30 s now, n 1+1, change +2.4 % (-6.9 … +12.6 %), tolerance 25 %: within noise
    Korean fidelity: qwen2.5-7b q4_k: 20 of 20: 100 % (84 to 100) before, 20 of 20: 100 % (84 to 100) now, tolerance 5 %: within noise
    Korean pass rate: qwen2.5-7b q4_k: 20 of 20: 100 % (84 to 100) before, 11 of 20: 55 % (34 to 74) now, tolerance 5 %: regressed
    answers: 61 answers compared
    </system-out>
        <system-err/>
      </testsuite>
      <testsuite name="한국어 &lt;모델&gt;|&quot;큰&quot; &amp; '작은',&#10;둘째: 100%" package="bench" id="1" hostname="localhost" timestamp="1970-01-01T00:00:00" time="0" tests="2" failures="1" errors="0" skipped="0">
        <properties>
          <property name="check" value="run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45"/>
          <property name="outcome" value="Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing"/>
        </properties>
        <testcase classname="한국어 &lt;모델&gt;|&quot;큰&quot; &amp; '작은',&#10;둘째: 100%" name="speed pp128+tg64 decode" time="0"/>
        <testcase classname="한국어 &lt;모델&gt;|&quot;큰&quot; &amp; '작은',&#10;둘째: 100%" name="answers" time="0">
          <failure type="answers" message="2 prompts are answered with other tokens">21 answers compared&#10;speed pp128+tg64, trial 3: the answer parts at output token 2: token 13 before, token 99 now&#10;interview ko p|1, trial 0: the answer parts at output token 2: token 13 before, the end now</failure>
        </testcase>
        <system-out>speed pp128+tg64 decode: 10.0 tok/s before, 10.0 tok/s now, n 20+20, change 0 % (-0.6 … +0.6 %), tolerance 5 %: within noise
    answers: 21 answers compared&#10;speed pp128+tg64, trial 3: the answer parts at output token 2: token 13 before, token 99 now&#10;interview ko p|1, trial 0: the answer parts at output token 2: token 13 before, the end now
    </system-out>
        <system-err/>
      </testsuite>
      <testsuite name="gemma-2-9b q8_0" package="bench" id="2" hostname="localhost" timestamp="1970-01-01T00:00:00" time="0" tests="1" failures="0" errors="1" skipped="0">
        <properties>
          <property name="check" value="run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45"/>
          <property name="outcome" value="Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing"/>
        </properties>
        <testcase classname="gemma-2-9b q8_0" name="speed pp128+tg64 decode" time="0">
          <error type="incomparable" message="commit of the checkpoint was a09a35458c702b33eeacc393d103063234e8bc28 and is b20e87b4c5c0e0f00527c57df41dd19db03ed98d">10.0 tok/s before, 10.0 tok/s now, n 20+20, change —, tolerance 5 %: incomparable</error>
        </testcase>
        <system-out>speed pp128+tg64 decode: 10.0 tok/s before, 10.0 tok/s now, n 20+20, change —, tolerance 5 %: incomparable
    </system-out>
        <system-err/>
      </testsuite>
      <testsuite name="llama-3-8b q8_0" package="bench" id="3" hostname="localhost" timestamp="1970-01-01T00:00:00" time="0" tests="2" failures="1" errors="1" skipped="0">
        <properties>
          <property name="check" value="run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45"/>
          <property name="outcome" value="Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing"/>
        </properties>
        <testcase classname="llama-3-8b q8_0" name="requests" time="0">
          <failure type="failure" message="it fails: needs 8.00 GiB,&#10;&lt;6.00 GiB&gt; | are free &amp; so on">it fails: needs 8.00 GiB,&#10;&lt;6.00 GiB&gt; | are free &amp; so on</failure>
        </testcase>
        <testcase classname="llama-3-8b q8_0" name="speed pp128+tg64 decode" time="0">
          <error type="incomparable" message="values of decode was 20 and is 0">10.0 tok/s before, — now, n 20+0, change —, tolerance 5 %: incomparable</error>
        </testcase>
        <system-out>requests: it fails: needs 8.00 GiB,&#10;&lt;6.00 GiB&gt; | are free &amp; so on
    speed pp128+tg64 decode: 10.0 tok/s before, — now, n 20+0, change —, tolerance 5 %: incomparable
    </system-out>
        <system-err/>
      </testsuite>
      <testsuite name="exaone-3.5-7.8b q8_0" package="bench" id="4" hostname="localhost" timestamp="1970-01-01T00:00:00" time="0" tests="2" failures="0" errors="0" skipped="1">
        <properties>
          <property name="check" value="run 20261120-051733-4f2a (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45"/>
          <property name="outcome" value="Check regressed: 2 regressed, 1 improved, 5 within noise, 3 inconclusive, 2 incomparable, 2 answered otherwise, 1 failing"/>
        </properties>
        <testcase classname="exaone-3.5-7.8b q8_0" name="speed pp128+tg64 decode" time="0">
          <skipped message="other programs (rust|c, ld) were busy on the machine during 9 of 20 trials: run again when it is quiet">10.0 tok/s before, 8.00 tok/s now, n 20+20, change -20.0 % (-20.6 … -19.4 %), tolerance 5 %: inconclusive</skipped>
        </testcase>
        <testcase classname="exaone-3.5-7.8b q8_0" name="answers" time="0"/>
        <system-out>speed pp128+tg64 decode: 10.0 tok/s before, 8.00 tok/s now, n 20+20, change -20.0 % (-20.6 … -19.4 %), tolerance 5 %: inconclusive
    answers: 20 answers compared
    </system-out>
        <system-err/>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn a_check_that_found_nothing() {
    insta::assert_snapshot!(render(&testing::unchanged()), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="qwen2.5-7b q4_k" package="bench" id="0" hostname="localhost" timestamp="1970-01-01T00:00:00" time="0" tests="5" failures="0" errors="0" skipped="0">
        <properties>
          <property name="check" value="run 20261101-081500-77aa (bench 0.1.0) against run 20261101-081500-77aa (bench 0.1.0), on AMD EPYC 9B45"/>
          <property name="outcome" value="Check passed: 4 within noise"/>
        </properties>
        <testcase classname="qwen2.5-7b q4_k" name="speed pp128+tg64 TTFT" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="speed pp128+tg64 decode" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="memory" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="load" time="0"/>
        <testcase classname="qwen2.5-7b q4_k" name="answers" time="0"/>
        <system-out>speed pp128+tg64 TTFT: 500 ms before, 500 ms now, n 20+20, change 0 % (-0.6 … +0.6 %), tolerance 5 %: within noise
    speed pp128+tg64 decode: 20.0 tok/s before, 20.0 tok/s now, n 20+20, change 0 % (-0.6 … +0.6 %), tolerance 5 %: within noise
    memory: 4.00 GiB before, 4.00 GiB now, n 1+1, change 0 % (-0.2 … +0.2 %), tolerance 5 %: within noise
    load: 4.20 s before, 4.20 s now, n 1+1, change 0 % (-9.1 … +10.0 %), tolerance 25 %: within noise
    answers: 20 answers compared
    </system-out>
        <system-err/>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn every_document_satisfies_the_schemas() {
    for check in [testing::everything(), testing::unchanged(), testing::nothing()] {
        let text = render(&check);
        assert_eq!(complaints(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_rules_refuse_what_the_schemas_refuse() {
    let good = render(&testing::everything());
    let suite = |with: &str| format!("<testsuites>{with}</testsuites>");
    for (wrong, what) in [
        (good.replacen(" hostname=\"localhost\"", "", 1), "<testsuite> without hostname"),
        (good.replacen(" time=\"0\"", " time=\"soon\"", 1), "<testsuite> time=\"soon\""),
        (good.replacen("T00:00:00\"", "T00:00:00Z\"", 1), "<testsuite> timestamp=\"1970-01-01T00:00:00Z\""),
        (good.replacen("<testcase ", "<testcase flaky=\"no\" ", 1), "<testcase> with flaky"),
        (good.replacen("<system-err/>", "", 1), "<testsuite> has 0 of <system-err>"),
        (good.replacen("</testcase>", "<skipped/></testcase>", 1), "<testcase> has "),
        (good.replacen("</properties>", "</properties>text", 1), "text in <testsuite>"),
        (good.replacen("<testsuites>", "<testsuites><system-err/>", 1), "children of <testsuites>"),
        (suite("<test/>"), "<test>"),
        (suite("<testcase"), "expected a whitespace"),
        (suite("\u{1b}"), "a non-XML character"),
        ("<testsuite/>".into(), "the root"),
    ] {
        let found = complaints(&wrong);
        assert!(found.iter().any(|complaint| complaint.contains(what)), "{what}: {found:?}");
    }
}

#[test]
fn a_suite_counts_its_cases() {
    let text = render(&testing::everything());
    let document = Document::parse(&text).unwrap();
    let suites: Vec<Node> = document.descendants().filter(|node| node.has_tag_name("testsuite")).collect();
    assert_eq!(suites.len(), testing::everything().rows.len());
    for suite in suites {
        let counted = |element| suite.descendants().filter(|node| node.has_tag_name(element)).count();
        let stated = |attribute| suite.attribute(attribute).unwrap().parse::<usize>().unwrap();
        for (attribute, element) in
            [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
        {
            assert_eq!(stated(attribute), counted(element), "{attribute} of {suite:?}");
        }
    }
}

#[test]
fn names_come_back_as_they_are_but_for_what_xml_cannot_hold() {
    let mut check = testing::everything();
    check.rows[0].row = "bell \u{7} and \u{fffe}".into();
    let text = render(&check);
    let document = Document::parse(&text).unwrap();
    let names: Vec<&str> =
        document.descendants().filter_map(|node| node.attribute("package").and(node.attribute("name"))).collect();
    assert_eq!(names[0], "bell \u{fffd} and \u{fffd}");
    assert_eq!(names[1], check.rows[1].row);
}

#[test]
fn without_a_figure_there_is_an_error_all_the_same() {
    let text = render(&testing::nothing());
    let document = Document::parse(&text).unwrap();
    let error = document.descendants().find(|node| node.has_tag_name("error")).unwrap();
    assert_eq!(error.attribute("message"), Some("Check could not be compared: nothing to compare"));
}
