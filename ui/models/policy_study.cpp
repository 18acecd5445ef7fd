// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/policy_study.h"

#include <grp.h>
#include <pwd.h>

#include "ui/models/format.h"
#include "ui/models/policy_words.h"
#include "ui/models/user_names.h"

namespace snakepit::shm::ui {

namespace {

constexpr qsizetype kMostNames = 500;

}  // namespace

PolicyStudy study_policy(const PolicyReport& report, const Policy& proposed,
                         const std::optional<WhoAsked>& who) {
    SystemNameResolver names;
    PolicyStudy out;
    out.findings = check_policy(proposed, names, &report);
    out.changes = what_changes(report, proposed, names);
    for (const auto& change : out.changes) learn_user(change.client.subject.credentials.uid);
    if (!who) return out;
    const auto subject = who->client && *who->client < report.clients.size()
                             ? Result<Subject>(report.clients[*who->client].subject)
                             : subject_of(who->somebody, names);
    if (!subject) {
        out.nobody = error_text(subject.error());
        return out;
    }
    out.before = what_if(report, report.policy, *subject, names);
    out.after = what_if(report, proposed, *subject, names);
    return out;
}

// The lists have one place in the process: nobody else walks them.
KnownNames known_names() {
    KnownNames out;
    ::setpwent();
    while (const auto* entry = ::getpwent()) {
        out.users << QString::fromUtf8(entry->pw_name);
        if (out.users.size() == kMostNames) break;
    }
    ::endpwent();
    ::setgrent();
    while (const auto* entry = ::getgrent()) {
        out.groups << QString::fromUtf8(entry->gr_name);
        if (out.groups.size() == kMostNames) break;
    }
    ::endgrent();
    out.users.sort();
    out.groups.sort();
    return out;
}

PolicyWords policy_words(const PolicyReport& report) {
    const auto& policy = report.policy;
    learn_user(report.owner_uid);
    return {owner_title(report), group_title(report), who_may(Right::read, report, policy),
            who_may(Right::write, report, policy), who_may(Right::manage, report, policy)};
}

}  // namespace snakepit::shm::ui
