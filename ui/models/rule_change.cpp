// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/rule_change.h"

#include <algorithm>

namespace snakepit::shm::ui {

RuleChange change_rule(MonitoringPort& port, const AlertRule& shown, const AlertRule& wanted) {
    auto rules = port.rules();
    if (!rules) return {{}, fail(rules.error())};
    const auto now = std::find_if(rules->begin(), rules->end(), [&shown](const AlertRule& rule) {
        return rule.name == shown.name;
    });
    if (now == rules->end())
        return {{}, fail(ErrorCode::invalid_argument, "the rule was removed in the meantime")};
    if (*now != shown) return {*now, {}};
    return {{}, port.set_rule(wanted)};
}

}  // namespace snakepit::shm::ui
