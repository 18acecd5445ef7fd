// SPDX-License-Identifier: GPL-3.0-or-later
// What a policy would come to, and what is doubtful in it. It asks the system for users, groups and
// files, which may wait: worker threads only.
#pragma once

#include <QString>
#include <QStringList>
#include <optional>
#include <vector>

#include "security/policy_check.h"
#include "security/subject_query.h"
#include "security/what_if.h"

namespace snakepit::shm::ui {

// Who is asked about: one of the report's clients, or somebody described.
struct WhoAsked {
    std::optional<std::size_t> client;
    SubjectQuery somebody;
};

struct PolicyStudy {
    std::vector<PolicyFinding> findings;
    std::vector<PolicyChange> changes;    // for those who are connected
    std::optional<WhatIf> before, after;  // for who is asked about
    QString nobody;                       // why there is no answer for them
};
PolicyStudy study_policy(const PolicyReport& report, const Policy& proposed,
                         const std::optional<WhoAsked>& who);

// Names a person may pick from; at most a few hundred of each.
struct KnownNames {
    QStringList users, groups;
};
KnownNames known_names();

// How the region's owner and group are called, and who may read, write and manage it.
struct PolicyWords {
    QString owner, group;
    QStringList read, write, manage;
};
PolicyWords policy_words(const PolicyReport& report);

}  // namespace snakepit::shm::ui
