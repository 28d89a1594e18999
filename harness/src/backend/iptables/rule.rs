//! One spelling for a rule: what restore reads and what save prints differ in order, defaults and number formats.

use std::borrow::Cow;
use std::fmt::Write;

/// A rule's words: split at spaces, quotes taken off.
pub(super) fn words(line: &str) -> Vec<Cow<'_, str>> {
    let mut words = Vec::with_capacity(24);
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, behind) = if let Some(quoted) = rest.strip_prefix('"') { unquote(quoted) } else { bare(rest) };
        words.push(word);
        rest = behind.trim_start();
    }
    words
}

fn bare(text: &str) -> (Cow<'_, str>, &str) {
    let end = text.find(' ').unwrap_or(text.len());
    (Cow::Borrowed(&text[..end]), &text[end..])
}

/// Ends at the next quote that no backslash escapes.
fn unquote(text: &str) -> (Cow<'_, str>, &str) {
    let Some(end) = text.find(['"', '\\']) else { return (Cow::Borrowed(text), "") };
    if text.as_bytes()[end] == b'"' {
        return (Cow::Borrowed(&text[..end]), &text[end + 1..]);
    }
    let mut word = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (Cow::Owned(word), &text[at + 1..]),
            '\\' => word.extend(characters.next().map(|(_, escaped)| escaped)),
            other => word.push(other),
        }
    }
    (Cow::Owned(word), "")
}

/// The canonical text of a rule's words, the chain left out: source, destination, protocol and devices first, then each match
/// with its options in the given order, then the target.
pub(super) fn canonical(words: &[Cow<'_, str>]) -> String {
    let mut fields = Fields::default();
    let mut groups = String::with_capacity(160);
    let mut target = String::with_capacity(48);
    let mut in_target = false;
    let mut index = 0;
    while index < words.len() {
        let negated = words[index] == "!";
        index += usize::from(negated);
        let Some(option) = words.get(index) else { break };
        let value_end = (index + 1..words.len()).find(|at| is_option(&words[*at])).unwrap_or(words.len());
        let values = &words[index + 1..value_end];
        match option.as_ref() {
            "-m" => {
                in_target = false;
                push(&mut groups, negated, "-m", values);
            }
            "-j" | "-g" => {
                in_target = true;
                push(&mut target, negated, option, values);
            }
            _ if fields.take(negated, option, values) => {}
            _ => push_option(if in_target { &mut target } else { &mut groups }, negated, option, values),
        }
        index = value_end;
    }
    if target == " -j REJECT" {
        target.push_str(" --reject-with icmp-port-unreachable");
    }
    fields.join(&groups, &target)
}

/// Whether a word starts something new rather than being a value. No value of kube-proxy's starts with a dash.
fn is_option(word: &str) -> bool {
    word == "!" || word.starts_with('-')
}

/// What save prints in front of the matches.
#[derive(Default)]
struct Fields {
    source: String,
    destination: String,
    input: String,
    output: String,
    protocol: String,
}

impl Fields {
    fn take(&mut self, negated: bool, option: &str, values: &[Cow<'_, str>]) -> bool {
        let field = match option {
            "-s" => &mut self.source,
            "-d" => &mut self.destination,
            "-i" => &mut self.input,
            "-o" => &mut self.output,
            "-p" => &mut self.protocol,
            _ => return false,
        };
        push(field, negated, option, values);
        if matches!(option, "-s" | "-d") && !field.contains('/') {
            field.push_str("/32");
        }
        true
    }

    fn join(&self, groups: &str, target: &str) -> String {
        let Self { source, destination, input, output, protocol } = self;
        let mut text = [source, destination, input, output, protocol, groups, target].map(|s: &str| s).concat();
        text.drain(..usize::from(text.starts_with(' ')));
        text
    }
}

fn push(text: &mut String, negated: bool, option: &str, values: &[Cow<'_, str>]) {
    text.push_str(if negated { " ! " } else { " " });
    text.push_str(option);
    for value in values {
        text.push(' ');
        text.push_str(value);
    }
}

/// Options whose values have several spellings are brought to one.
fn push_option(text: &mut String, negated: bool, option: &str, values: &[Cow<'_, str>]) {
    let value = values.first().map_or("", |value| value.as_ref());
    match option {
        "--comment" => {
            let _ = write!(text, " --comment {:?}", value);
        }
        "--mark" | "--set-xmark" => push(text, negated, option, &[masked(value).into()]),
        "--or-mark" => push(text, negated, "--set-xmark", &[masked(&format!("{value}/{value}")).into()]),
        "--xor-mark" => push(text, negated, "--set-xmark", &[masked(&format!("{value}/0")).into()]),
        "--probability" => push(text, negated, option, &[probability(value)]),
        _ => push(text, negated, option, values),
    }
}

/// `value/mask` in hexadecimal without leading zeros.
fn masked(text: &str) -> String {
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    match (number(value), number(mask)) {
        (Some(value), Some(mask)) => format!("{value:#x}/{mask:#x}"),
        _ => text.to_owned(),
    }
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The kernel keeps probabilities as multiples of 2^-31, and save prints that multiple.
fn probability(text: &str) -> Cow<'_, str> {
    match text.parse::<f64>() {
        Ok(value) => Cow::Owned(format!("{:.0}/2^31", value * f64::from(1u32 << 31))),
        Err(_) => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(restored: &str, saved: &str) {
        assert_eq!(canonical(&words(restored)), canonical(&words(saved)));
    }

    #[test]
    fn restored_and_saved_spellings_meet() {
        same(
            "-m comment --comment \"default/svc-0 cluster IP\" -m tcp -p tcp -d 10.96.0.10 --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ",
            "! -s 10.244.0.0/16 -d 10.96.0.10/32 -p tcp -m comment --comment \"default/svc-0 cluster IP\" -m tcp --dport 80 -j KUBE-MARK-MASQ",
        );
        same("-j MARK --or-mark 0x00004000", "-j MARK --set-xmark 0x4000/0x4000");
        same("-j MARK --xor-mark 0x00004000", "-j MARK --set-xmark 0x4000/0x0");
        same("-m mark ! --mark 0x00004000/0x00004000 -j RETURN", "-m mark ! --mark 0x4000/0x4000 -j RETURN");
        same("-m nfacct --nfacct-name c -j DROP", "-m nfacct --nfacct-name  c -j DROP");
        same("-m comment --comment default/svc-0 -j A", "-m comment --comment \"default/svc-0\" -j A");
        same("-j REJECT", "-j REJECT --reject-with icmp-port-unreachable");
        same(
            "-m statistic --mode random --probability 0.3333333333 -j A",
            "-m statistic --mode random --probability 0.33333333349 -j A",
        );
    }

    #[test]
    fn different_rules_stay_different() {
        let rule = canonical(&words("! -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j A"));
        for other in [
            "-s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j A",
            "! -s 10.0.0.0/9 -p tcp -m tcp --dport 80 -j A",
            "! -s 10.0.0.0/8 -p udp -m tcp --dport 80 -j A",
            "! -s 10.0.0.0/8 -p tcp -m tcp --sport 80 -j A",
            "! -s 10.0.0.0/8 -p tcp -m tcp ! --dport 80 -j A",
            "! -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -g A",
            "! -s 10.0.0.0/8 -p tcp -j A",
        ] {
            assert_ne!(canonical(&words(other)), rule, "{other}");
        }
    }

    #[test]
    fn quotes_and_escapes_come_off() {
        assert_eq!(
            words("-m comment --comment \"a \\\"b\\\" c\" -j X"),
            ["-m", "comment", "--comment", "a \"b\" c", "-j", "X"]
        );
        assert_eq!(words("\"open"), ["open"]);
    }
}
