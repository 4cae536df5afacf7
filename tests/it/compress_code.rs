//! Source code of every language with a grammar, as a user hands it in: what is kept still parses,
//! names every signature, says which lines are cut, and gives them back.

use context_engine::base::{Handle, content_hash};
use context_engine::compress::original::{What, part};
use context_engine::compress::{Cut, Fitted, Kind, Request, fit};
use context_engine::tokens::{Budget, Measure};
use tree_sitter::{Language, Parser};

/// How a language writes a file of a few functions.
struct Style {
    name: &'static str,
    grammar: fn() -> Language,
    head: &'static str,
    /// A signature with `NAME` in it, up to where the body begins.
    signature: &'static str,
    /// The lines of a body, with `NAME` in them, and what closes it.
    body: &'static str,
    foot: &'static str,
}

const NAMES: [&str; 6] = ["weigh", "label", "seal", "route", "stamp", "deliver"];

const SCRIPT: &str = "\n  let total = start;\n  for (const parcel of parcels) {\n    if (parcel.weight > 40) {\n      throw new Error('NAME: parcel is too heavy');\n    }\n    total += parcel.weight * this.rate;\n  }\n  this.seen.push('NAME');\n  return total;\n}\n\n";
const TYPED: &str = "export interface Parcel {\n  weight: number;\n}\n\nexport class Depot {\n  private seen: string[] = [];\n  private rate: number = 3;\n\n";
const BLOCK: &str = "\n    int total = start;\n    for (int at = 0; at < count; at++) {\n        if (weights[at] > 40) {\n            fail(\"NAME: parcel is too heavy\");\n        }\n        total += weights[at] * RATE;\n    }\n    record(\"NAME\", total);\n    return total;\n}\n\n";

fn styles() -> [Style; 9] {
    [
        Style {
            name: "Rust",
            grammar: || tree_sitter_rust::LANGUAGE.into(),
            head: "use std::fmt;\n\npub struct Depot {\n    rate: u32,\n}\n\nimpl Depot {\n",
            signature: "    pub fn NAME(&self, start: u32, parcels: &[Parcel]) -> Result<u32, Error> {",
            body: "\n        let mut total = start;\n        for parcel in parcels {\n            if parcel.weight > 40 {\n                return Err(Error::new(\"NAME: parcel is too heavy\"));\n            }\n            total += parcel.weight * self.rate;\n        }\n        self.record(\"NAME\", total);\n        Ok(total)\n    }\n\n",
            foot: "}\n",
        },
        Style {
            name: "Python",
            grammar: || tree_sitter_python::LANGUAGE.into(),
            head: "import logging\n\n\nclass Depot:\n    rate = 3\n\n",
            signature: "    def NAME(self, start: int, parcels: list) -> int:",
            body: "\n        total = start\n        for parcel in parcels:\n            if parcel.weight > 40:\n                raise ValueError(\"NAME: parcel is too heavy\")\n            total += parcel.weight * self.rate\n        logging.info(\"NAME: %d\", total)\n        self.seen.append(\"NAME\")\n        return total\n\n",
            foot: "",
        },
        Style {
            name: "TypeScript",
            grammar: || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            head: TYPED,
            signature: "public NAME(start: number, parcels: Parcel[]): number {",
            body: SCRIPT,
            foot: "}\n",
        },
        Style {
            name: "TSX",
            grammar: || tree_sitter_typescript::LANGUAGE_TSX.into(),
            head: "import React from 'react';\n\ntype Props = { parcels: string[]; open: boolean };\n\n",
            signature: "export function NAME(props: Props): JSX.Element {",
            body: "\n  const [count, setCount] = React.useState(0);\n  const shown = props.parcels.filter((parcel) => parcel !== 'NAME');\n  if (!props.open) {\n    return <p>NAME is closed</p>;\n  }\n  return (\n    <ul className=\"NAME\" onClick={() => setCount(count + 1)}>\n      {shown.map((parcel) => <li key={parcel}>{parcel}</li>)}\n    </ul>\n  );\n}\n\n",
            foot: "",
        },
        Style {
            name: "JavaScript",
            grammar: || tree_sitter_javascript::LANGUAGE.into(),
            head: "'use strict';\n\nconst fs = require('fs');\n\n",
            signature: "function NAME(start, parcels) {",
            body: SCRIPT,
            foot: "module.exports = { weigh, deliver };\n",
        },
        Style {
            name: "Go",
            grammar: || tree_sitter_go::LANGUAGE.into(),
            head: "package depot\n\nimport \"fmt\"\n\ntype Depot struct {\n\trate int\n}\n\n",
            signature: "func (d *Depot) NAME(start int, parcels []Parcel) (int, error) {",
            body: "\n\ttotal := start\n\tfor _, parcel := range parcels {\n\t\tif parcel.Weight > 40 {\n\t\t\treturn 0, fmt.Errorf(\"NAME: parcel %d is too heavy\", parcel.ID)\n\t\t}\n\t\ttotal += parcel.Weight * d.rate\n\t}\n\td.record(\"NAME\", total)\n\treturn total, nil\n}\n\n",
            foot: "",
        },
        Style {
            name: "Java",
            grammar: || tree_sitter_java::LANGUAGE.into(),
            head: "package org.example.depot;\n\nimport java.util.List;\n\npublic class Depot {\n    private static final int RATE = 3;\n\n",
            signature: "public int NAME(int start, int[] weights, int count) throws DepotException {",
            body: BLOCK,
            foot: "}\n",
        },
        Style {
            name: "C",
            grammar: || tree_sitter_c::LANGUAGE.into(),
            head: "#include <stdio.h>\n\n#define RATE 3\n\nstruct depot {\n    int rate;\n};\n\n",
            signature: "static int NAME(int start, const int *weights, int count) {",
            body: BLOCK,
            foot: "",
        },
        Style {
            name: "C++",
            grammar: || tree_sitter_cpp::LANGUAGE.into(),
            head: "#include <vector>\n\nnamespace depot {\n\nclass Store {\npublic:\n    explicit Store(int rate);\n};\n\n",
            signature: "int Store::NAME(int start, const std::vector<int>& weights, int count) {",
            body: BLOCK,
            foot: "}\n",
        },
    ]
}

impl Style {
    fn signatures(&self) -> Vec<String> {
        NAMES.iter().map(|name| self.signature.replace("NAME", name).trim().to_owned()).collect()
    }

    fn source(&self) -> String {
        let one = format!("{}{}", self.signature, self.body);
        let all: String = NAMES.iter().map(|name| one.replace("NAME", name)).collect();
        format!("{}{all}{}", self.head, self.foot)
    }

    fn parses(&self, text: &str) -> bool {
        let mut parser = Parser::new();
        parser.set_language(&(self.grammar)()).expect("a grammar");
        !parser.parse(text, None).expect("a tree").root_node().has_error()
    }
}

fn fitted(text: &str, max_tokens: usize, query: Option<&str>) -> Fitted {
    let handle = Handle::of_hash(&content_hash(text.as_bytes()), 8);
    let request = Request {
        kind: Some(Kind::Code),
        query,
        handle: Some(&handle),
        ..Request::new(text, Some(max_tokens), Measure::default())
    };
    fit(&request).expect("fits")
}

/// Whether a mark in `text` names the lines of `cut`.
fn is_named(text: &str, cut: &Cut) -> bool {
    let Cut { from_line, to_line, .. } = cut;
    let words = if from_line == to_line {
        [format!("line {from_line} cut"), format!("[…{from_line}]")]
    } else {
        [format!("lines {from_line}-{to_line} cut"), format!("[…{from_line}-{to_line}]")]
    };
    words.iter().any(|words| text.contains(words))
}

#[test]
fn skeletons_of_every_language_keep_their_signatures_and_parse() {
    for style in styles() {
        let source = style.source();
        assert!(style.parses(&source), "{}: the source itself", style.name);
        let max_tokens = Measure::default().count(&source) * 6 / 10;
        let out = fitted(&source, max_tokens, None);
        let told = format!("{} at {max_tokens}: {out:?}\n{}", style.name, out.text);
        assert!(out.tokens_after <= max_tokens && !out.cuts.is_empty(), "{told}");
        assert!(style.parses(&out.text), "does not parse: {told}");
        for signature in style.signatures() {
            assert!(out.text.contains(&signature), "{signature} is missing: {told}");
        }
        for cut in &out.cuts {
            assert!(is_named(&out.text, cut), "{cut:?} has no mark: {told}");
        }
    }
}

#[test]
fn budgets_hold_and_results_are_final_in_every_language() {
    for style in styles() {
        let source = style.source();
        let all = Measure::default().count(&source);
        for query in [None, Some("how are parcels sealed")] {
            for max_tokens in [0, 1, 10, 60, all / 10, all / 4, all / 2] {
                let out = fitted(&source, max_tokens, query);
                let told = format!("{} at {max_tokens}, {query:?}\n{}", style.name, out.text);
                assert_eq!(Measure::default().count(&out.text), out.tokens_after, "{told}");
                assert!(out.tokens_after <= max_tokens, "{told}");
                assert_eq!(fitted(&out.text, max_tokens, query).text, out.text, "{told}");
            }
        }
    }
}

#[test]
fn what_is_cut_from_code_is_given_back_byte_for_byte() {
    for style in styles() {
        let source = style.source().replace('\n', "\r\n");
        let lines: Vec<&str> = source.split_inclusive('\n').collect();
        let out = fitted(&source, Measure::default().count(&source) / 2, None);
        assert!(!out.cuts.is_empty(), "{}", style.name);
        for cut in &out.cuts {
            let what = What::Lines { from: cut.from_line, to: cut.to_line, skip_bytes: 0 };
            let budget = Budget { tokens: 100_000, measure: Measure::default() };
            let got = part(source.as_bytes(), &what, budget).expect("the lines are there");
            assert_eq!(got.text, lines[cut.from_line - 1..cut.to_line].concat(), "{}: {cut:?}", style.name);
        }
    }
}

#[test]
fn a_language_without_a_grammar_is_cut_by_whole_lines() {
    let ruby: String = NAMES
        .iter()
        .map(|name| {
            format!("def {name}(start, parcels)\n  total = start\n  parcels.each do |parcel|\n    total += parcel.weight # it's heavy\n  end\n  log(\"{name} #{{total}}\")\n  total\nend\n\n")
        })
        .collect();
    let shell: String = NAMES
        .iter()
        .map(|name| {
            format!("{name}() {{\n  local total=\"$1\"\n  for parcel in \"$@\"; do\n    total=$((total + ${{parcel#kg}}))\n  done\n  case $total in\n    0) return 1 ;;\n  esac\n  echo \"{name}: $total\"\n}}\n\n")
        })
        .collect();
    let kotlin: String = NAMES
        .iter()
        .map(|name| {
            format!("fun {name}(start: Int, parcels: List<Parcel>): Int {{\n    var total = start\n    for (parcel in parcels) {{\n        require(parcel.weight <= 40) {{ \"{name}: too heavy\" }}\n        total += parcel.weight\n    }}\n    return total\n}}\n\n")
        })
        .collect();
    for (name, source) in [("Ruby", ruby), ("shell", shell), ("Kotlin", kotlin)] {
        let max_tokens = Measure::default().count(&source) / 2;
        let out = fitted(&source, max_tokens, None);
        assert!(out.tokens_after <= max_tokens && !out.cuts.is_empty(), "{name}: {}", out.text);
        assert!(out.cuts.iter().all(|cut| !cut.partial), "{name}: half a line is cut: {}", out.text);
        let kept = out.text.lines().filter(|line| source.lines().any(|other| other == *line)).count();
        assert!(kept >= 4, "{name}: {}", out.text);
    }
}

#[test]
fn a_query_keeps_bodies_before_the_comments_above_them() {
    let text: String = NAMES
        .iter()
        .map(|name| {
            format!("/// The {name} step of a parcel, as the depot does it each morning before the vans leave.\n///\n/// It is told to everybody, and nobody may skip it without a written reason from the office.\n#[inline]\npub fn {name}(parcel: &mut Parcel) {{\n    parcel.note(\"{name}\");\n    parcel.count_{name} += 1;\n}}\n\n#[test]\nfn {name}_is_tested() {{\n    assert_eq!({name}(parcel()), 1);\n    assert_eq!(parcel().count_{name}, 1);\n}}\n\n")
        })
        .collect();
    let out = fitted(&text, 100, Some("seal or stamp a parcel once")).text;
    for body in ["parcel.note(\"seal\");", "parcel.note(\"stamp\");"] {
        assert!(out.contains(body), "{body} is missing\n{out}");
    }
    assert!(!out.contains("It is told to everybody"), "{out}");
    assert!(!out.contains("assert_eq!(seal("), "{out}");
}

#[test]
fn one_long_line_is_cut_into_statements() {
    let line: String =
        (0..60_000).map(|at| format!("function f{at}(a,b){{return a*{at}+b}};var v{at}=f{at}(1,2);")).collect();
    let out = fitted(&line, 1_000, Some("v31337"));
    assert!(out.tokens_after <= 1_000 && out.text.contains("f31337(1,2)"), "{}", out.text);
    assert!(out.cuts.iter().all(|cut| cut.partial), "{:?}", out.cuts);
}

#[test]
fn a_file_of_megabytes_is_cut_at_its_definitions() {
    let one = |at: usize| {
        format!(
            "pub fn step_{at}(parcel: &Parcel) -> u32 {{\n    let total = parcel.weight * {at};\n    record(total);\n    total\n}}\n\n"
        )
    };
    let text: String = (0..25_000).map(one).collect();
    let out = fitted(&text, 800, Some("step_17123"));
    assert!(out.text.contains("parcel.weight * 17123;"), "{}", out.text);
    assert!(styles()[0].parses(&out.text), "{}", out.text);
}

#[test]
fn marks_are_comments_of_the_language() {
    let ruby = "# Weighs.\ndef weigh(parcel)\n  total = parcel.weight * 3\n  log(total)\n  total\nend\n\n";
    let sql = "-- Parcels.\nCREATE TABLE parcels (\n  id INTEGER PRIMARY KEY,\n  weight INTEGER NOT NULL\n);\n\n";
    let lisp =
        "; Weighs.\n(defun weigh (parcel)\n  (let ((total (* 3 (weight parcel))))\n    (log total)\n    total))\n\n";
    for (source, sign, definition) in
        [(ruby, "#", "def weigh"), (sql, "--", "CREATE TABLE"), (lisp, ";", "(defun weigh")]
    {
        let text = source.repeat(12);
        let out = fitted(&text, Measure::default().count(&text) / 3, None).text;
        assert!(out.contains(definition), "{out}");
        assert!(!out.contains("/*") && !out.contains("//"), "{out}");
        let mark = out.find(" cut, ").expect("a mark");
        let line = out[..mark].rsplit('\n').next().expect("a line");
        assert!(line.trim_start().starts_with(sign), "{out}");
    }
}

#[test]
fn budgets_too_small_for_every_signature_give_what_parses() {
    for style in styles() {
        let source = style.source();
        let all = Measure::default().count(&source);
        for max_tokens in (60..all).step_by(7) {
            for query in [None, Some("seal a parcel")] {
                let out = fitted(&source, max_tokens, query);
                let told = format!("{} at {max_tokens}, {query:?}\n{}", style.name, out.text);
                assert!(style.parses(&out.text), "does not parse: {told}");
                assert!(out.text.contains(" cut, "), "nothing says what is cut: {told}");
            }
        }
    }
}

/// Methods with heads of many lines, in an `impl` and in a trait.
fn long_heads() -> String {
    let method = |name: &str, public: &str| {
        format!(
            "    /// Says {name}, as it is said in the depot.\n    #[inline]\n    {public}fn {name}<V>(\n        self,\n        visitor: V,\n    ) -> Result<V::Value, Error>\n    where\n        V: Visitor<'de>,\n    {{\n        let value = self.start(\"{name}\")?;\n        visitor.visit(value, \"{name}\", self.rate * 3)\n    }}\n\n"
        )
    };
    let methods = |public: &str| -> String { NAMES.iter().map(|name| method(name, public)).collect() };
    format!("impl<'de> Depot<'de> {{\n{}}}\n\npub trait Yard<'de> {{\n{}}}\n", methods("pub "), methods(""))
}

#[test]
fn heads_of_many_lines_are_written_on_one_where_there_is_little_room() {
    let source = long_heads();
    let out = fitted(&source, 420, None);
    let told = format!("{out:?}\n{}", out.text);
    assert!(styles()[0].parses(&out.text), "{told}");
    for name in NAMES {
        let head = format!("fn {name}<V>(self, visitor: V,) -> Result<V::Value, Error> where V: Visitor<'de>,");
        let alone = format!("\n pub {head};\n");
        assert!(out.text.contains(&alone), "{alone} is missing: {told}");
        // In a trait a semicolon would say that there is no body.
        let in_trait = format!("\n {head} {{/*…*/}}\n");
        assert!(out.text.contains(&in_trait), "{in_trait} is missing: {told}");
    }
    assert!(out.text.contains("; body cut: ;]"), "nothing says what a semicolon stands for: {told}");
    let cut: usize = out.cuts.iter().map(|cut| cut.to_line + 1 - cut.from_line).sum();
    assert!(cut >= 12 * 4, "bodies that are not in the list of cuts: {told}");
}

#[test]
fn a_method_without_its_body_is_a_signature_in_typescript() {
    let method = |name: &str| {
        format!(
            "  async {name}(parcel: Parcel, at: Date): Promise<void> {{\n    const found = await this.find(parcel, at);\n    if (!found) throw new Error('no parcel');\n    this.done.push(found);\n  }}\n\n"
        )
    };
    let methods: String = NAMES.iter().map(|name| method(name)).collect();
    let source = format!(
        "export class Depot {{\n{methods}}}\n\nexport function open(path: string): Depot {{\n  const depot = new Depot(path);\n  depot.read();\n  return depot;\n}}\n"
    );
    let out = fitted(&source, 150, None).text;
    let style = styles().into_iter().find(|style| style.name == "TypeScript").expect("it is listed");
    assert!(style.parses(&out), "{out}");
    for name in NAMES {
        let head = format!(" async {name}(parcel: Parcel, at: Date): Promise<void>;");
        assert!(out.contains(&head), "{head} is missing: {out}");
    }
    assert!(out.contains("export function open(path: string): Depot"), "{out}");
    assert!(out.contains("; body cut: ;]"), "{out}");
}

#[test]
fn comments_in_a_head_keep_its_lines_apart() {
    let one = |name: &str| {
        format!(
            "pub fn {name}(\n    start: u32, // where it begins\n    end: u32,\n) -> u32 {{\n    let total = start * 3 + end;\n    record(\"{name}\", total);\n    record(\"{name} again\", total);\n    total\n}}\n\n"
        )
    };
    let source: String = NAMES.iter().map(|name| one(name)).collect();
    for max_tokens in (80..300).step_by(20) {
        let out = fitted(&source, max_tokens, None).text;
        assert!(styles()[0].parses(&out), "{max_tokens}\n{out}");
        assert!(out.matches("// where it begins\n").count() == out.matches("start: u32,").count(), "{out}");
    }
}

#[test]
fn a_function_that_is_defined_under_a_condition_is_found() {
    let rest: String = (0..30).map(|at| format!("    total += weigh({at}, rate)\n")).collect();
    let source = format!(
        "def main(args):\n    total = 0\n    if args.slow:\n        rate = 3\n        if args.verbose:\n            def callback(number, taken):\n                print(number, taken)\n                print(number / taken)\n{rest}    return total\n\n\ndef weigh(number, rate):\n    taken = number * rate\n    print(taken)\n    return taken\n"
    );
    for max_tokens in [90, 120, 200] {
        let out = fitted(&source, max_tokens, None).text;
        assert!(styles()[1].parses(&out), "{out}");
        for head in ["def main(args):", "if args.verbose:", "def callback(number, taken):", "def weigh(number, rate):"]
        {
            assert!(out.contains(head), "{head} is missing at {max_tokens}\n{out}");
        }
    }
}

#[test]
fn what_the_answer_calls_is_kept_before_what_it_does_not() {
    let one = |name: &str, call: &str| {
        format!(
            "pub fn {name}(rate: u32) -> u32 {{\n    let total = rate * 3 + {call}(rate);\n    record(total, rate);\n    total + rate\n}}\n\n"
        )
    };
    let source = one("entry_of_parcels", "deliver") + &NAMES.map(|name| one(name, "f")).concat();
    let out = fitted(&source, 130, Some("the entry of parcels")).text;
    for body in ["rate * 3 + deliver(rate);", "pub fn deliver(rate: u32) -> u32 {\n    let total"] {
        assert!(out.contains(body), "{body} is missing\n{out}");
    }
}

#[test]
fn members_that_only_lines_part_stay_on_lines_of_their_own() {
    let one = |name: &str| {
        format!(
            "export type {name}Args = Partial<{{\n  start: number\n  parcels: string[]\n  rate: number | undefined\n}}>\n\nexport function {name}(args: {name}Args): number {{\n  const total = args.start * 3\n  record(total, args.rate)\n  return total\n}}\n\n"
        )
    };
    let source = NAMES.map(one).concat();
    for max_tokens in (60..400).step_by(20) {
        let out = fitted(&source, max_tokens, None).text;
        assert!(styles()[2].parses(&out), "does not parse at {max_tokens}\n{out}");
    }
}
