//! A query as a tree.
//! What lives here: the types. What does not: reading them from text (`parse`, `expression`) or turning them into SQLite's words (`translate`).

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value or a condition.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Null,
    Number(String),
    Text(String),
    Column {
        qualifier: Option<String>,
        name: String,
    },
    Negate(Box<Expression>),
    Binary {
        operator: Operator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    Concatenate(Vec<Expression>),
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    IsNull {
        value: Box<Expression>,
        negated: bool,
    },
    Between {
        value: Box<Expression>,
        low: Box<Expression>,
        high: Box<Expression>,
        negated: bool,
    },
    In {
        value: Box<Expression>,
        list: Vec<Expression>,
        negated: bool,
    },
    InQuery {
        value: Box<Expression>,
        query: Box<Query>,
        negated: bool,
    },
    Like {
        value: Box<Expression>,
        pattern: Box<Expression>,
        escape: Option<Box<Expression>>,
        negated: bool,
    },
    Exists(Box<Query>),
    Subquery(Box<Query>),
    Call(Call),
    Case {
        operand: Option<Box<Expression>>,
        arms: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub name: String,
    pub distinct: bool,
    /// `COUNT(*)`.
    pub star: bool,
    pub arguments: Vec<Expression>,
    pub window: Option<Window>,
}

/// What follows OVER.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window {
    pub partition: Vec<Expression>,
    pub order: Vec<Order>,
}

/// One term of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub expression: Expression,
    pub descending: bool,
    /// NULLS FIRST or LAST when said; otherwise NULL counts as the highest value.
    pub nulls_first: Option<bool>,
}

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    /// Named queries of WITH.
    pub with: Vec<(String, Vec<String>, Query)>,
    pub body: Body,
    pub order: Vec<Order>,
    pub offset: Option<u64>,
    pub limit: Option<u64>,
}

/// One SELECT, or several joined by set operators.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    Select(Box<Select>),
    Nested(Box<Query>),
    /// The first member's operator is without meaning.
    Set(Vec<(SetOperator, Body)>),
}

/// How a member of a set query joins those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetOperator {
    Union,
    UnionAll,
    Intersect,
    Minus,
}

/// One SELECT.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Select {
    pub distinct: bool,
    pub items: Vec<Item>,
    pub from: Vec<Source>,
    pub filter: Option<Expression>,
    pub group: Vec<Expression>,
    pub having: Option<Expression>,
}

/// One term of the select list.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    All,
    AllOf(String),
    Value {
        expression: Expression,
        /// Its alias or the name that Oracle derives from its text.
        heading: String,
    },
}

/// One term of FROM.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    Table {
        name: String,
        alias: String,
    },
    Query {
        query: Box<Query>,
        alias: String,
    },
    Join {
        left: Box<Source>,
        right: Box<Source>,
        kind: JoinKind,
        condition: Condition,
    },
}

/// What kind of join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

/// What joins two sources.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    None,
    On(Expression),
    Using(Vec<String>),
}

impl Expression {
    /// The expressions directly below this one; queries inside are worlds of their own.
    pub fn children(&self) -> Vec<&Expression> {
        match self {
            Expression::Null
            | Expression::Number(_)
            | Expression::Text(_)
            | Expression::Column { .. }
            | Expression::Exists(_)
            | Expression::Subquery(_) => Vec::new(),
            Expression::Negate(inner) | Expression::Not(inner) => vec![inner],
            Expression::IsNull { value, .. } | Expression::InQuery { value, .. } => vec![value],
            Expression::Binary { left, right, .. } => vec![left, right],
            Expression::Concatenate(list) | Expression::And(list) | Expression::Or(list) => {
                list.iter().collect()
            }
            Expression::Between {
                value, low, high, ..
            } => vec![value, low, high],
            Expression::In { value, list, .. } => std::iter::once(&**value).chain(list).collect(),
            Expression::Like {
                value,
                pattern,
                escape,
                ..
            } => [Some(value), Some(pattern), escape.as_ref()]
                .into_iter()
                .flatten()
                .map(|child| &**child)
                .collect(),
            Expression::Call(call) => call
                .arguments
                .iter()
                .chain(call.window.iter().flat_map(Window::children))
                .collect(),
            Expression::Case {
                operand,
                arms,
                otherwise,
            } => operand
                .iter()
                .chain(otherwise)
                .map(|child| &**child)
                .chain(
                    arms.iter()
                        .flat_map(|(condition, value)| [condition, value]),
                )
                .collect(),
        }
    }

    /// Whether it is a group function, which gathers rows.
    pub fn is_aggregate(&self) -> bool {
        const AGGREGATES: [&str; 5] = ["COUNT", "SUM", "MIN", "MAX", "AVG"];
        matches!(self, Expression::Call(call) if call.window.is_none() && AGGREGATES.contains(&call.name.as_str()))
    }

    /// Whether a group function is anywhere in it.
    pub fn has_aggregate(&self) -> bool {
        self.is_aggregate() || self.children().into_iter().any(Expression::has_aggregate)
    }

    /// Whether ROWNUM is anywhere in it.
    pub fn has_rownum(&self) -> bool {
        self.is_rownum() || self.children().into_iter().any(Expression::has_rownum)
    }

    /// Whether it is ROWNUM.
    pub fn is_rownum(&self) -> bool {
        matches!(self, Expression::Column { qualifier: None, name } if name == "ROWNUM")
    }
}

impl Window {
    fn children(&self) -> impl Iterator<Item = &Expression> {
        self.partition
            .iter()
            .chain(self.order.iter().map(|order| &order.expression))
    }
}
