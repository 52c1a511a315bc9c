//! `backstay retention …`.
//! What lives here: the rules of a mount, and what they mean for its recovery points. What does not: the decision.

use std::process::ExitCode;

use api::admin::{RetentionPlan, RetentionRules};
use api::client::{Client, in_path};
use clap::{Args, Subcommand};

use super::connection::StoreOptions;
use super::points::{digits, shortened};
use super::table::{Table, line};
use super::wait::{confirm, must_be_able_to_ask};
use super::{Failure, finish};
use crate::said::{note, say, say_json};

/// Say which recovery points of a mount stay
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    Show(Show),
    Set(Set),
    Apply(Apply),
}

/// The rules of a mount, and what they mean for each recovery point
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  backstay retention show prd\n\n\
                  Nothing is deleted by this. The newest usable recovery point always stays, and so does what is held \
                  ('backstay recovery-point keep').\n\n\
                  Exit status: 0 shown, 1 refused or failed, 2 wrong command line.")]
pub struct Show {
    /// The mount
    mount: String,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

/// Change rules of a mount
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay retention set prd --daily 14 --weekly 8 --monthly 12\n  backstay retention set prd --yearly 0\n\n\
                  A rule that is not given stays as it is; 0 takes it away. Without any rule every recovery point stays. \
                  It shows what the rules mean and deletes nothing: 'backstay retention apply' does, and so does the next \
                  recovery point of the mount.\n\n\
                  Exit status: 0 set, 1 refused or failed, 2 wrong command line."
)]
pub struct Set {
    /// The mount
    mount: String,
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

/// Rules as they are given; at least one is.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Rules {
    /// Keep the newest so many
    #[arg(long, value_name = "NUMBER")]
    last: Option<u32>,
    /// Keep the newest of each day, for so many days that have one
    #[arg(long, value_name = "NUMBER")]
    daily: Option<u32>,
    /// Keep the newest of each week
    #[arg(long, value_name = "NUMBER")]
    weekly: Option<u32>,
    /// Keep the newest of each month
    #[arg(long, value_name = "NUMBER")]
    monthly: Option<u32>,
    /// Keep the newest of each year
    #[arg(long, value_name = "NUMBER")]
    yearly: Option<u32>,
}

/// Delete the recovery points of a mount that no rule keeps
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  backstay retention apply prd\n  backstay retention apply prd --yes\n\n\
                  It shows what goes and asks. What is deleted then is decided once more by the store, so that a recovery \
                  point that was made meanwhile counts. The jobs go on by themselves, with a sweep at the end.\n\n\
                  Exit status: 0 the deletions are queued or there are none, 1 refused or failed, 2 wrong command line."
)]
pub struct Apply {
    /// The mount
    mount: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    store: StoreOptions,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

/// Runs a command.
pub fn run(command: &RetentionCommand) -> ExitCode {
    finish(match command {
        RetentionCommand::Show(arguments) => show(arguments),
        RetentionCommand::Set(arguments) => set(arguments),
        RetentionCommand::Apply(arguments) => apply(arguments),
    })
}

fn path(mount: &str) -> String {
    format!("/mounts/{}/retention", in_path(mount))
}

fn plan_of(client: &Client, mount: &str) -> Result<RetentionPlan, Failure> {
    Ok(client.get(&path(mount))?)
}

fn show(arguments: &Show) -> Result<(), Failure> {
    let plan = plan_of(&arguments.store.connect()?, &arguments.mount)?;
    if arguments.json {
        say_json(&plan);
    } else {
        say(render(&plan));
    }
    Ok(())
}

fn set(arguments: &Set) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    let before = plan_of(&client, &arguments.mount)?.rules;
    let plan: RetentionPlan =
        client.post(&path(&arguments.mount), &arguments.rules.changed(before))?;
    if arguments.json {
        say_json(&plan);
        return Ok(());
    }
    say(render(&plan));
    if leaving(&plan) > 0 {
        say(format!(
            "Nothing was deleted yet: 'backstay retention apply {}' or the mount's next recovery point carries it out.",
            plan.mount
        ));
    }
    Ok(())
}

impl Rules {
    fn changed(&self, before: RetentionRules) -> RetentionRules {
        RetentionRules {
            last: self.last.unwrap_or(before.last),
            daily: self.daily.unwrap_or(before.daily),
            weekly: self.weekly.unwrap_or(before.weekly),
            monthly: self.monthly.unwrap_or(before.monthly),
            yearly: self.yearly.unwrap_or(before.yearly),
        }
    }
}

fn apply(arguments: &Apply) -> Result<(), Failure> {
    let client = arguments.store.connect()?;
    must_be_able_to_ask(arguments.yes)?;
    let mut shown = None;
    if !arguments.yes {
        let plan = plan_of(&client, &arguments.mount)?;
        // On standard error, where the question is.
        note(render(&plan));
        // Nobody has said yes to what a recovery point that is made right now would change.
        if leaving(&plan) == 0 {
            if arguments.json {
                say_json(&plan);
            }
            return Ok(());
        }
        let question = format!("Delete {}?", recovery_points(leaving(&plan)));
        confirm(arguments.yes, &question)?;
        shown = Some(plan);
    }
    let plan: RetentionPlan = client.post(&format!("{}/apply", path(&arguments.mount)), &())?;
    if arguments.json {
        say_json(&plan);
        return Ok(());
    }
    if shown.is_none_or(|shown| shown.points != plan.points) {
        say(render(&plan));
    }
    if leaving(&plan) > 0 {
        say(format!(
            "To be deleted: {}. HINT: 'backstay job list --mount {}' says how far it is",
            recovery_points(leaving(&plan)),
            plan.mount
        ));
    }
    Ok(())
}

fn leaving(plan: &RetentionPlan) -> usize {
    plan.points.iter().filter(|point| !point.keep).count()
}

fn recovery_points(count: usize) -> String {
    match count {
        1 => "1 recovery point".to_owned(),
        count => format!("{count} recovery points"),
    }
}

/// Rules, decisions with their reasons, and how many stay and go.
fn render(plan: &RetentionPlan) -> String {
    let mut lines = vec![line(&format!(
        "Rules of {}: {}",
        plan.mount,
        rules(plan.rules)
    ))];
    if plan.points.is_empty() {
        lines.push("It has no recovery point yet.".to_owned());
        return lines.join("\n");
    }
    let digits = digits(plan.points.iter().map(|point| point.id.as_str()));
    let mut table = Table::new(["ID", "TIME", "DECISION", "WHY"]);
    for point in &plan.points {
        let decision = if point.keep { "KEEP" } else { "DELETE" };
        let why = match (point.keep, point.reasons.is_empty()) {
            (false, true) => "no rule keeps it".to_owned(),
            _ => point.reasons.join(", "),
        };
        table.row([
            shortened(&point.id, digits),
            point.time.clone(),
            decision.to_owned(),
            why,
        ]);
    }
    lines.push(table.to_string());
    let leaving = leaving(plan);
    lines.push(format!(
        "{} stay, {leaving} go.",
        plan.points.len() - leaving
    ));
    lines.join("\n")
}

fn rules(rules: RetentionRules) -> String {
    let given: Vec<String> = [
        ("last", rules.last),
        ("daily", rules.daily),
        ("weekly", rules.weekly),
        ("monthly", rules.monthly),
        ("yearly", rules.yearly),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(name, count)| format!("{name} {count}"))
    .collect();
    if given.is_empty() {
        return "none, so every recovery point stays".to_owned();
    }
    given.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(points: serde_json::Value) -> RetentionPlan {
        serde_json::from_value(serde_json::json!({
            "mount": "prd", "rules": {"last": 1, "daily": 0, "weekly": 0, "monthly": 12, "yearly": 0}, "points": points
        }))
        .unwrap()
    }

    #[test]
    fn the_plan_says_what_becomes_of_each_point_and_why() {
        let id = |head: &str| format!("{head:0<64}");
        let shown = render(&plan(serde_json::json!([
            {"id": id("aa"), "time": "2026-11-23T01:00:00.000Z", "keep": true, "reasons": ["last 1 of 1", "held"]},
            {"id": id("bb"), "time": "2026-11-22T01:00:00.000Z", "keep": false, "reasons": []},
            {"id": id("cc"), "time": "2026-11-21T01:00:00.000Z", "keep": false, "reasons": ["damaged"]}
        ])));
        assert_eq!(
            shown,
            "\
Rules of prd: last 1, monthly 12
ID        TIME                      DECISION  WHY
aa000000  2026-11-23T01:00:00.000Z  KEEP      last 1 of 1, held
bb000000  2026-11-22T01:00:00.000Z  DELETE    no rule keeps it
cc000000  2026-11-21T01:00:00.000Z  DELETE    damaged
1 stay, 2 go."
        );
    }

    #[test]
    fn a_mount_without_rules_or_points_says_so() {
        let empty = RetentionPlan {
            rules: RetentionRules::default(),
            ..plan(serde_json::json!([]))
        };
        assert_eq!(
            render(&empty),
            "Rules of prd: none, so every recovery point stays\nIt has no recovery point yet."
        );
    }

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            set: Set,
        }
        let parse = |options: &[&str]| {
            let arguments = ["set", "prd"].iter().chain(options);
            <Line as clap::Parser>::try_parse_from(arguments).map(|line| line.set.rules)
        };
        let before = RetentionRules {
            last: 3,
            daily: 7,
            ..RetentionRules::default()
        };
        let given = parse(&["--daily", "14", "--last", "0"]).unwrap();
        assert_eq!(
            given.changed(before),
            RetentionRules {
                daily: 14,
                ..RetentionRules::default()
            }
        );
        let given = parse(&["--yearly", "2"]).unwrap();
        assert_eq!(
            given.changed(before),
            RetentionRules {
                yearly: 2,
                ..before
            }
        );
        assert!(parse(&[]).is_err(), "nothing to set");
        assert!(parse(&["--last", "-1"]).is_err());
    }
}
