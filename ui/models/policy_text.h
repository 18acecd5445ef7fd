// SPDX-License-Identifier: GPL-3.0-or-later
// Policies in words.
#pragma once

#include <QString>
#include <QStringList>

#include "security/policy_check.h"
#include "security/what_if.h"

namespace snakepit::shm::ui {

QString permission_title(Permission permission);  // "read and write"
QString rights_text(Rights rights);               // "read and write, manage"
QString conditions_text(const PolicyRule& rule);  // "user alice, program /usr/bin/reader"
// Of the region. They ask the system for a name: worker threads only, as who_may().
QString owner_title(const PolicyReport& report);  // "owner alice"
QString group_title(const PolicyReport& report);  // "group users"
// Who has a right by this policy, one entry each: "owner alice", "rule 2: user bob". Roles are left
// out: they hold for every region.
QStringList who_may(Right right, const PolicyReport& report, const Policy& policy);
// Why somebody may, or may not: "rule 2: user bob", "no permission and no rule allows it".
QString reason_text(const Verdict& verdict, const Policy& policy);
QString role_title(Role role);
QString place_text(const std::string& where);        // "rules[1].program" as "Rule 2, program"
QString finding_text(const PolicyFinding& finding);  // without its place, as a sentence

// The words that set this policy: snakepit-shm takes options where they can say all of it, and JSON
// otherwise.
QString policy_command(const RegionId& id, const Policy& policy);

}  // namespace snakepit::shm::ui
