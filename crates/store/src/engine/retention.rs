//! Rules by which recovery points stay.
//! What lives here: plan and application for a mount. What does not: the rules themselves (repository).

use api::admin::{
    JobKind, PointState, RecoveryPoint, RetentionDecision, RetentionPlan, RetentionRules,
};
use jiff::tz::TimeZone;
use repository::{Candidate, KeepRules};

use super::Engine;
use crate::catalogue::{CatalogueError, points};
use crate::refusal::Refusal;

/// Most of a kind that may be kept: a century of days.
const KEPT_MAX: u32 = 36_525;

impl Engine {
    /// What the rules of a mount mean now. The mount may be gone; its recovery points are not.
    pub(crate) fn retention_plan(&self, mount: &str) -> Result<RetentionPlan, Refusal> {
        let (rules, rows) = self.catalogue.read(|connection| {
            Ok::<_, CatalogueError>((
                points::rules(connection, mount)?,
                points::list(connection, Some(mount))?,
            ))
        })?;
        if rows.is_empty() {
            // A misspelt name is told from a mount without recovery points.
            self.mount(mount)?;
        }
        let candidates = rows
            .iter()
            .filter(|row| row.state != PointState::Deleting)
            .map(candidate)
            .collect::<Result<Vec<_>, CatalogueError>>()?;
        let keep = KeepRules {
            last: rules.last,
            daily: rules.daily,
            weekly: rules.weekly,
            monthly: rules.monthly,
            yearly: rules.yearly,
        };
        let decided = repository::plan(&candidates, &keep, &TimeZone::system());
        let decision = |decision: repository::Decision| RetentionDecision {
            time: rows
                .iter()
                .find(|row| row.id == decision.id)
                .map(|row| row.time.clone())
                .unwrap_or_default(),
            id: decision.id,
            keep: decision.keep,
            reasons: decision.reasons,
        };
        Ok(RetentionPlan {
            mount: mount.to_owned(),
            rules,
            points: decided.into_iter().map(decision).collect(),
        })
    }

    /// Gives a mount rules; nothing is deleted yet.
    pub(crate) fn set_retention(
        &self,
        mount: &str,
        rules: &RetentionRules,
    ) -> Result<RetentionPlan, Refusal> {
        let numbers = [
            rules.last,
            rules.daily,
            rules.weekly,
            rules.monthly,
            rules.yearly,
        ];
        if let Some(number) = numbers.into_iter().find(|number| *number > KEPT_MAX) {
            return Err(Refusal::bad_request(
                format!("{number} recovery points of a kind"),
                format!("at most {KEPT_MAX}"),
            ));
        }
        self.retention_plan(mount)?;
        self.catalogue
            .change(|connection| points::set_rules(connection, mount, rules))?;
        self.retention_plan(mount)
    }

    /// Deletes what no rule keeps, and has the space returned.
    pub(crate) fn apply_retention(&self, mount: &str) -> Result<RetentionPlan, Refusal> {
        let plan = self.retention_plan(mount)?;
        let mut has_deleted = false;
        for decision in plan.points.iter().filter(|decision| !decision.keep) {
            let row = self.find_point(&decision.id)?;
            // One that somebody has just begun to hold stays.
            has_deleted |= self.queue_deletion(&row).is_ok();
        }
        if has_deleted {
            self.queue(JobKind::Sweep, "", "")?;
        }
        Ok(plan)
    }

    /// After each new recovery point; a failure does not make that one fail.
    pub(super) fn apply_rules_after_point(&self, mount: &str) {
        if let Err(refusal) = self.apply_retention(mount) {
            tracing::warn!(
                mount,
                "the rules of retention could not be applied: {refusal}"
            );
        }
    }
}

fn candidate(row: &RecoveryPoint) -> Result<Candidate, CatalogueError> {
    Ok(Candidate {
        id: row.id.clone(),
        time: row
            .time
            .parse()
            .map_err(|_| CatalogueError::Nonsense(row.time.clone()))?,
        // One that was not read back yet may be the only one there is.
        is_usable: row.state != PointState::Damaged,
        is_held: row.is_held,
    })
}
