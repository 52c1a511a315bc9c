//! Reads expressions and conditions, with Oracle's precedence: `||` binds like `+`, not tighter as in SQLite.
//! What lives here: everything below a select list's term. What does not: clauses, which `parse` reads.

use super::parse::Parser;
use super::syntax::{Call, Expression, Operator, Window};
use crate::engine::error::{OraError, OraResult};
use crate::statement::lexer::Token;
use crate::statement::not_offered;

/// Words that cannot name a column, so that `SELECT FROM` misses an expression.
const RESERVED: [&str; 37] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "BY",
    "UNION",
    "MINUS",
    "INTERSECT",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "LIKE",
    "BETWEEN",
    "EXISTS",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "AS",
    "ON",
    "DISTINCT",
    "ALL",
    "ANY",
    "ASC",
    "DESC",
    "WITH",
    "START",
    "CONNECT",
    "FOR",
    "UNIQUE",
    "VALUES",
    "SET",
    "INTO",
];

/// Whether Oracle reserves this word.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

fn missing_expression() -> OraError {
    OraError::new(936, "missing expression")
}

fn boxed(expression: Expression) -> Box<Expression> {
    Box::new(expression)
}

impl Parser<'_> {
    /// A condition or a value: the lowest level of precedence.
    pub(super) fn expression(&mut self) -> OraResult<Expression> {
        self.nested(|parser| parser.chain(&["OR"], Parser::conjunction, Expression::Or))
    }

    fn conjunction(&mut self) -> OraResult<Expression> {
        self.chain(&["AND"], Parser::negation, Expression::And)
    }

    /// Operands joined by a keyword, kept flat so that a long chain is not a deep tree.
    fn chain(
        &mut self,
        keyword: &[&str],
        operand: fn(&mut Self) -> OraResult<Expression>,
        build: fn(Vec<Expression>) -> Expression,
    ) -> OraResult<Expression> {
        let first = operand(self)?;
        if !self.cursor.sees(keyword[0]) {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.cursor.accept(keyword) {
            operands.push(operand(self)?);
        }
        Ok(build(operands))
    }

    fn negation(&mut self) -> OraResult<Expression> {
        if self.cursor.accept(&["NOT"]) {
            return self.nested(|parser| Ok(Expression::Not(boxed(parser.negation()?))));
        }
        if self.cursor.accept(&["EXISTS"]) {
            return Ok(Expression::Exists(Box::new(self.parenthesized_query()?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> OraResult<Expression> {
        let left = self.sum()?;
        if let Some(operator) = self.comparison_operator() {
            if ["ANY", "SOME", "ALL"]
                .iter()
                .any(|word| self.cursor.sees(word))
            {
                return Err(not_offered("comparison with ANY, SOME or ALL"));
            }
            let right = self.sum()?;
            return Ok(Expression::Binary {
                operator,
                left: boxed(left),
                right: boxed(right),
            });
        }
        if self.cursor.accept(&["IS"]) {
            let negated = self.cursor.accept(&["NOT"]);
            if !self.cursor.accept(&["NULL"]) {
                return Err(OraError::new(908, "missing NULL keyword"));
            }
            return Ok(Expression::IsNull {
                value: boxed(left),
                negated,
            });
        }
        let negated = self.cursor.accept(&["NOT"]);
        if self.cursor.accept(&["BETWEEN"]) {
            return self.between(left, negated);
        }
        if self.cursor.accept(&["IN"]) {
            return self.in_list(left, negated);
        }
        if self.cursor.accept(&["LIKE"]) {
            return self.like(left, negated);
        }
        if negated {
            Err(OraError::new(920, "invalid relational operator"))
        } else {
            Ok(left)
        }
    }

    fn comparison_operator(&mut self) -> Option<Operator> {
        let operators = [
            ("=", Operator::Equal),
            ("<>", Operator::NotEqual),
            ("!=", Operator::NotEqual),
            ("^=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        operators
            .iter()
            .find(|(symbol, _)| self.cursor.accept_symbol(symbol))
            .map(|(_, operator)| *operator)
    }

    fn between(&mut self, value: Expression, negated: bool) -> OraResult<Expression> {
        let low = self.sum()?;
        if !self.cursor.accept(&["AND"]) {
            return Err(OraError::new(905, "missing keyword"));
        }
        let high = self.sum()?;
        Ok(Expression::Between {
            value: boxed(value),
            low: boxed(low),
            high: boxed(high),
            negated,
        })
    }

    fn in_list(&mut self, value: Expression, negated: bool) -> OraResult<Expression> {
        if !self.cursor.sees_symbol("(") {
            return Err(OraError::new(906, "missing left parenthesis"));
        }
        if self.cursor.sees_at(1, "SELECT") || self.cursor.sees_at(1, "WITH") {
            let query = Box::new(self.parenthesized_query()?);
            return Ok(Expression::InQuery {
                value: boxed(value),
                query,
                negated,
            });
        }
        self.cursor.take();
        let list = self.list()?;
        self.close()?;
        Ok(Expression::In {
            value: boxed(value),
            list,
            negated,
        })
    }

    fn like(&mut self, value: Expression, negated: bool) -> OraResult<Expression> {
        let pattern = boxed(self.sum()?);
        let escape = if self.cursor.accept(&["ESCAPE"]) {
            Some(boxed(self.sum()?))
        } else {
            None
        };
        Ok(Expression::Like {
            value: boxed(value),
            pattern,
            escape,
            negated,
        })
    }

    /// `+`, `-` and `||`, from the left.
    fn sum(&mut self) -> OraResult<Expression> {
        let depth = self.depth;
        let mut left = self.product()?;
        loop {
            if self.cursor.accept_symbol("||") {
                let right = self.product()?;
                match &mut left {
                    Expression::Concatenate(operands) => operands.push(right),
                    _ => left = Expression::Concatenate(vec![left, right]),
                }
                continue;
            }
            let operator = if self.cursor.accept_symbol("+") {
                Operator::Add
            } else if self.cursor.accept_symbol("-") {
                Operator::Subtract
            } else {
                self.depth = depth;
                return Ok(left);
            };
            self.deepen()?;
            let right = self.product()?;
            left = Expression::Binary {
                operator,
                left: boxed(left),
                right: boxed(right),
            };
        }
    }

    fn product(&mut self) -> OraResult<Expression> {
        let depth = self.depth;
        let mut left = self.unary()?;
        loop {
            let operator = if self.cursor.accept_symbol("*") {
                Operator::Multiply
            } else if self.cursor.accept_symbol("/") {
                Operator::Divide
            } else {
                self.depth = depth;
                return Ok(left);
            };
            self.deepen()?;
            let right = self.unary()?;
            left = Expression::Binary {
                operator,
                left: boxed(left),
                right: boxed(right),
            };
        }
    }

    fn unary(&mut self) -> OraResult<Expression> {
        if self.cursor.accept_symbol("-") {
            return self.nested(|parser| Ok(Expression::Negate(boxed(parser.unary()?))));
        }
        if self.cursor.accept_symbol("+") {
            return self.nested(Parser::unary);
        }
        self.primary()
    }

    fn primary(&mut self) -> OraResult<Expression> {
        if self.cursor.sees_symbol("(") {
            return self.parenthesized();
        }
        if self.cursor.accept(&["NULL"]) {
            return Ok(Expression::Null);
        }
        if self.cursor.accept(&["CASE"]) {
            return self.case();
        }
        match self.cursor.peek() {
            Some(Token::Number(number)) => {
                let number = number.clone();
                self.cursor.take();
                Ok(Expression::Number(number))
            }
            Some(Token::Text(text)) => {
                let text = text.clone();
                self.cursor.take();
                // Oracle knows no empty string: it is NULL.
                Ok(if text.is_empty() {
                    Expression::Null
                } else {
                    Expression::Text(text)
                })
            }
            Some(Token::Word(word)) if is_reserved(word) => Err(missing_expression()),
            Some(Token::Word(_) | Token::Quoted(_)) => self.name_or_call(),
            Some(Token::Symbol(":")) => Err(OraError::new(1008, "not all variables bound")),
            _ => Err(missing_expression()),
        }
    }

    fn parenthesized(&mut self) -> OraResult<Expression> {
        if self.cursor.sees_at(1, "SELECT") || self.cursor.sees_at(1, "WITH") {
            return Ok(Expression::Subquery(Box::new(self.parenthesized_query()?)));
        }
        self.cursor.take();
        let inner = self.expression()?;
        if self.cursor.sees_symbol(",") {
            return Err(not_offered("comparison of lists of values"));
        }
        self.close()?;
        Ok(inner)
    }

    fn case(&mut self) -> OraResult<Expression> {
        let operand = if self.cursor.sees("WHEN") {
            None
        } else {
            Some(boxed(self.expression()?))
        };
        let mut arms = Vec::new();
        while self.cursor.accept(&["WHEN"]) {
            let condition = self.expression()?;
            if !self.cursor.accept(&["THEN"]) {
                return Err(OraError::new(905, "missing keyword"));
            }
            arms.push((condition, self.expression()?));
        }
        let otherwise = if self.cursor.accept(&["ELSE"]) {
            Some(boxed(self.expression()?))
        } else {
            None
        };
        if arms.is_empty() || !self.cursor.accept(&["END"]) {
            return Err(OraError::new(905, "missing keyword"));
        }
        Ok(Expression::Case {
            operand,
            arms,
            otherwise,
        })
    }

    fn name_or_call(&mut self) -> OraResult<Expression> {
        let name = self.cursor.accept_name().ok_or_else(missing_expression)?;
        if self.cursor.sees_symbol("(") {
            self.refuse_outer_join_sign()?;
            return self.call(name);
        }
        let mut parts = vec![name];
        while self.cursor.accept_symbol(".") {
            parts.push(
                self.cursor
                    .accept_name()
                    .ok_or_else(|| OraError::new(1747, INVALID_COLUMN))?,
            );
        }
        if self.cursor.sees_symbol("(") && parts.len() > 1 {
            self.refuse_outer_join_sign()?;
            return Err(OraError::new(
                904,
                format!("{}: invalid identifier", quoted(&parts)),
            ));
        }
        let name = parts.pop().unwrap_or_default();
        // A schema before the table's name says nothing here: everything belongs to SYS.
        Ok(Expression::Column {
            qualifier: parts.pop(),
            name,
        })
    }

    /// `column (+)`, the outer join of old.
    fn refuse_outer_join_sign(&self) -> OraResult<()> {
        match self.cursor.peek_at(1) {
            Some(Token::Symbol("+")) => Err(not_offered("outer joins with (+), write LEFT JOIN")),
            _ => Ok(()),
        }
    }

    fn call(&mut self, name: String) -> OraResult<Expression> {
        self.cursor.take();
        if name == "CAST" {
            return self.cast();
        }
        let star = self.cursor.accept_symbol("*");
        let distinct = self.cursor.accept(&["DISTINCT"]) || self.cursor.accept(&["UNIQUE"]);
        let arguments = if star || self.cursor.sees_symbol(")") {
            Vec::new()
        } else {
            self.list()?
        };
        self.close()?;
        let window = if self.cursor.accept(&["OVER"]) {
            Some(self.window()?)
        } else {
            None
        };
        Ok(Expression::Call(Call {
            name,
            distinct,
            star,
            arguments,
            window,
        }))
    }

    /// `CAST(x AS type)` becomes the conversion function of that type.
    fn cast(&mut self) -> OraResult<Expression> {
        let value = self.expression()?;
        if !self.cursor.accept(&["AS"]) {
            return Err(OraError::new(905, "missing keyword"));
        }
        let name = match self.cursor.accept_name().as_deref() {
            Some("VARCHAR2" | "VARCHAR" | "CHAR") => "TO_CHAR",
            Some("NUMBER" | "INTEGER" | "INT") => "TO_NUMBER",
            Some("DATE") => "TO_DATE",
            _ => return Err(OraError::new(902, "invalid datatype")),
        };
        if self.cursor.accept_symbol("(") {
            while !self.cursor.sees_symbol(")") && self.cursor.take().is_some() {}
            self.close()?;
        }
        self.close()?;
        let call = Call {
            name: name.into(),
            distinct: false,
            star: false,
            arguments: vec![value],
            window: None,
        };
        Ok(Expression::Call(call))
    }

    fn window(&mut self) -> OraResult<Window> {
        if !self.cursor.accept_symbol("(") {
            return Err(OraError::new(906, "missing left parenthesis"));
        }
        let partition = if self.cursor.accept(&["PARTITION", "BY"]) {
            self.list()?
        } else {
            Vec::new()
        };
        let order = if self.cursor.accept(&["ORDER", "BY"]) {
            self.order_terms()?
        } else {
            Vec::new()
        };
        if self.cursor.sees("ROWS") || self.cursor.sees("RANGE") {
            return Err(not_offered("window frames"));
        }
        self.close()?;
        Ok(Window { partition, order })
    }

    /// Expressions separated by commas.
    pub(super) fn list(&mut self) -> OraResult<Vec<Expression>> {
        let mut list = vec![self.expression()?];
        while self.cursor.accept_symbol(",") {
            list.push(self.expression()?);
        }
        Ok(list)
    }
}

const INVALID_COLUMN: &str = "invalid user.table.column, table.column, or column specification";

/// A name as ORA-00904 prints it.
pub(super) fn quoted(parts: &[String]) -> String {
    parts
        .iter()
        .map(|part| format!("\"{part}\""))
        .collect::<Vec<_>>()
        .join(".")
}
