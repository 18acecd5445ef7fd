// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/bundle_monitoring.h"

#include <algorithm>

#include <fmt/format.h>

#include "alerts/backtest.h"
#include "diagnostics/bundle.h"
#include "ui/models/current_alerts.h"
#include "ui/models/performance_report.h"

namespace snakepit::shm::ui {

namespace {

// What `parse` reads in that part.
template <typename Parse>
auto read(BundleReader& bundle, std::string_view name, Parse parse)
    -> decltype(parse(std::string_view())) {
    SHM_ASSIGN(const auto text, bundle.text(name));
    return parse(text);
}

// An older bundle has what fires, and no history.
Result<std::vector<Alert>> recent(BundleReader& bundle, const Result<std::vector<Alert>>& past) {
    SHM_ASSIGN(auto open, read(bundle, bundle_part::alerts, parse_alerts));
    if (!past) return open;
    return with_ended_lately(std::move(open), *past, bundle.manifest().created_at);
}

}  // namespace

BundleMonitoring::BundleMonitoring(const BundleLabel& label, BundleReader& bundle)
    : refusal_(label),
      at_(label.at),
      metrics_(bundle.metrics()),
      events_(bundle.events()),
      history_(read(bundle, bundle_part::alert_history, parse_alerts)),
      rules_(read(bundle, bundle_part::alert_rules, parse_rules)),
      silences_(read(bundle, bundle_part::alert_silences, parse_silences)),
      performance_(read(bundle, bundle_part::performance, parse_performance)) {
    alerts_ = recent(bundle, history_);
}

Result<AlertPage> BundleMonitoring::history(std::uint64_t before, int limit) {
    if (!history_) return fail(history_.error());
    AlertPage page;
    for (const auto& alert : *history_) {
        if (before != 0 && alert.id >= before) continue;
        page.more = page.alerts.size() == static_cast<std::size_t>(std::max(limit, 0));
        if (page.more) break;
        page.alerts.push_back(alert);
        page.before = alert.id;
    }
    return page;
}

Result<Backtest> BundleMonitoring::backtest(const AlertRule& rule, std::int64_t span_ms) {
    const auto& needed = rule.event ? events_ : metrics_;
    if (needed.empty())
        return fail(ErrorCode::not_supported,
                    fmt::format("the bundle does not contain {}",
                                rule.event ? bundle_part::events : bundle_part::metrics));
    return shm::backtest(rule, metrics_, events_, {at_.micros - span_ms * 1000}, at_);
}

}  // namespace snakepit::shm::ui
