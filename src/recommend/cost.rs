//! Cost: what a month of the service takes on a GPU rented by the hour.

use serde::Serialize;

use crate::catalog::Budget;

/// What the requests of a month cost if they are answered one after another and the GPU is paid for only meanwhile; a GPU
/// that waits for requests costs as much and answers nothing, so this is the least that it can be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MonthlyCost {
    /// Requests × median latency ÷ 3,600.
    pub gpu_hours: f64,
    /// GPU hours × price of one. Lower is better.
    pub krw: f64,
}

impl MonthlyCost {
    /// Of requests that take so many seconds each.
    pub fn of(budget: &Budget, median_latency_seconds: f64) -> Self {
        let gpu_hours = budget.requests_per_month * median_latency_seconds / 3600.0;
        Self { gpu_hours, krw: gpu_hours * budget.krw_per_gpu_hour }
    }
}

/// GPU hours that a month's budget buys: budget ÷ price of one hour. Undefined if the GPU costs nothing.
pub fn affordable_hours(budget: &Budget) -> Option<f64> {
    (budget.krw_per_gpu_hour > 0.0).then(|| budget.krw_per_month / budget.krw_per_gpu_hour)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Budget = Budget { krw_per_month: 150_000.0, krw_per_gpu_hour: 1_200.0, requests_per_month: 36_000.0 };

    #[test]
    fn a_month_costs_requests_times_latency_times_price() {
        assert_eq!(MonthlyCost::of(&BUDGET, 5.0), MonthlyCost { gpu_hours: 50.0, krw: 60_000.0 });
    }

    #[test]
    fn the_budget_buys_hours() {
        assert_eq!(affordable_hours(&BUDGET), Some(125.0));
        assert_eq!(affordable_hours(&Budget { krw_per_gpu_hour: 0.0, ..BUDGET }), None);
    }
}
