//! The syntax of a profile: `name = value` and `name = (value, value)`, over several lines, quoted, with comments.
//! What lives here: text to assignments with their places. What does not: what a value means.

/// Longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 4096;
/// Most values of a list.
pub const VALUES_MAX: usize = 4096;

/// One `name = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Name in lower case.
    pub name: String,
    /// Values; one unless it is a list in parentheses.
    pub values: Vec<String>,
    /// Line and column of the name, from 1.
    pub name_at: (usize, usize),
    /// Line and column of each value.
    pub values_at: Vec<(usize, usize)>,
}

/// Something that is no assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Line and column, from 1.
    pub at: (usize, usize),
    /// Parameter, if one was being read.
    pub name: String,
    /// What is wrong.
    pub what: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    Comma,
    Equals,
}

type Placed = (Token, (usize, usize));

/// Reads the whole text. What is wrong does not keep the rest from being read.
pub fn parse(text: &str) -> (Vec<Assignment>, Vec<Wrong>) {
    let mut wrong = Vec::new();
    let tokens = tokens(text, &mut wrong);
    let mut assignments = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = matches!(tokens[at].0, Token::Word(_))
            && matches!(tokens.get(at + 1), Some((Token::Equals, _)));
        if !starts {
            let what = format!(
                "'{}' stands where 'parameter = value' is expected",
                shown(&tokens[at].0)
            );
            wrong.push(Wrong {
                at: tokens[at].1,
                name: String::new(),
                what,
            });
            at += 1;
            while at < tokens.len() && !is_start(&tokens, at) {
                at += 1;
            }
            continue;
        }
        let end = (at + 2..tokens.len())
            .find(|index| is_start(&tokens, *index))
            .unwrap_or(tokens.len());
        match assignment(&tokens[at..end]) {
            Ok(assignment) => assignments.push(assignment),
            Err(found) => wrong.push(found),
        }
        at = end;
    }
    (assignments, wrong)
}

/// A word with an equals sign behind it, not inside another word.
fn is_start(tokens: &[Placed], at: usize) -> bool {
    matches!(tokens[at].0, Token::Word(_)) && matches!(tokens.get(at + 1), Some((Token::Equals, _)))
}

fn assignment(tokens: &[Placed]) -> Result<Assignment, Wrong> {
    let Token::Word(name) = &tokens[0].0 else {
        unreachable!("the caller looked")
    };
    let name = name.to_lowercase();
    let fail = |at: (usize, usize), what: &str| {
        Err(Wrong {
            at,
            name: name.clone(),
            what: what.to_string(),
        })
    };
    let (mut values, mut values_at) = (Vec::new(), Vec::new());
    let body = &tokens[2..];
    match body.first() {
        None => {}
        Some((Token::Open, open)) => {
            let Some((Token::Close, _)) = body.last() else {
                return fail(*open, "the list has no ')' at its end");
            };
            for part in body[1..body.len() - 1].split(|(token, _)| *token == Token::Comma) {
                match part {
                    [] => {}
                    [(Token::Word(_), first), ..]
                        if part
                            .iter()
                            .all(|(token, _)| matches!(token, Token::Word(_))) =>
                    {
                        values.push(joined(part));
                        values_at.push(*first);
                    }
                    [(token, at), ..] => {
                        return fail(*at, &format!("'{}' in a list", shown(token)));
                    }
                }
            }
        }
        Some((_, first)) => {
            if let Some((token, at)) = body
                .iter()
                .find(|(token, _)| !matches!(token, Token::Word(_)))
            {
                return fail(
                    *at,
                    &format!(
                        "'{}' outside quotes; put the value in double quotes",
                        shown(token)
                    ),
                );
            }
            values.push(joined(body));
            values_at.push(*first);
        }
    }
    if values.len() > VALUES_MAX {
        return fail(tokens[0].1, "more than 4096 values");
    }
    Ok(Assignment {
        name,
        values,
        name_at: tokens[0].1,
        values_at,
    })
}

/// Words of one value; a line break between them counts as a blank.
fn joined(tokens: &[Placed]) -> String {
    let words = tokens.iter().filter_map(|(token, _)| match token {
        Token::Word(word) => Some(word.as_str()),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

fn shown(token: &Token) -> &str {
    match token {
        Token::Word(word) => word,
        Token::Open => "(",
        Token::Close => ")",
        Token::Comma => ",",
        Token::Equals => "=",
    }
}

fn tokens(text: &str, wrong: &mut Vec<Wrong>) -> Vec<Placed> {
    let mut tokens = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        if line.len() > LINE_BYTES_MAX {
            let what = format!("the line is longer than {LINE_BYTES_MAX} bytes");
            wrong.push(Wrong {
                at: (line_number, 1),
                name: String::new(),
                what,
            });
            continue;
        }
        line_tokens(line, line_number, &mut tokens, wrong);
    }
    tokens
}

fn line_tokens(line: &str, number: usize, tokens: &mut Vec<Placed>, wrong: &mut Vec<Wrong>) {
    let mut letters = line.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let place = (number, line[..at].chars().count() + 1);
        match letter {
            '#' => return,
            '(' => tokens.push((Token::Open, place)),
            ')' => tokens.push((Token::Close, place)),
            ',' => tokens.push((Token::Comma, place)),
            '=' => tokens.push((Token::Equals, place)),
            '"' | '\'' => {
                let rest = &line[at + 1..];
                let Some(end) = rest.find(letter) else {
                    wrong.push(Wrong {
                        at: place,
                        name: String::new(),
                        what: format!("no closing {letter}"),
                    });
                    return;
                };
                tokens.push((Token::Word(rest[..end].to_string()), place));
                while letters
                    .next_if(|(index, _)| *index <= at + 1 + end)
                    .is_some()
                {}
            }
            letter if letter.is_whitespace() || letter.is_control() => {}
            _ => {
                let rest = &line[at..];
                // `obs=64k bs=64k` is one value: an equals sign inside a word that began behind '=' belongs to it.
                let value = matches!(
                    tokens.last(),
                    Some((Token::Equals | Token::Comma | Token::Open, _))
                ) || matches!(tokens.last(), Some((Token::Word(_), (line, _))) if *line == number);
                let ends =
                    |c: char| c.is_whitespace() || "(),#\"'".contains(c) || (c == '=' && !value);
                let length = rest.find(ends).unwrap_or(rest.len());
                tokens.push((Token::Word(rest[..length].to_string()), place));
                while letters.next_if(|(index, _)| *index < at + length).is_some() {}
            }
        }
    }
}
