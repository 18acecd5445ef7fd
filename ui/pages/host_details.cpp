// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/host_details.h"

#include <QFormLayout>
#include <QHBoxLayout>
#include <QVBoxLayout>

#include "ui/models/format.h"
#include "ui/models/host_text.h"
#include "ui/models/moment.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::size_t kUsersShown = 50;

QString use_text(UseKind how) {
    return how == UseKind::maps       ? HostDetails::tr("maps it")
           : how == UseKind::attached ? HostDetails::tr("has it attached")
                                      : HostDetails::tr("has it open");
}

QString users_html(const HostSegment& segment) {
    QString rows;
    const auto shown = std::min(segment.users.size(), kUsersShown);
    for (std::size_t i = 0; i < shown; ++i) {
        const auto& user = segment.users[i];
        rows += u"<tr><td><b>%1</b>&nbsp;&nbsp;</td><td>%2&nbsp;&nbsp;</td><td>%3</td></tr>"_s.arg(
            html_text(QString::fromStdString(user.program)), pid_html(user.pid),
            use_text(user.how));
    }
    auto html = rows.isEmpty() ? muted_html(HostDetails::tr("No process."))
                               : u"<table cellspacing='0'>%1</table>"_s.arg(rows);
    if (shown < segment.users.size())
        html += muted_html(HostDetails::tr("and %1 more").arg(segment.users.size() - shown));
    if (!segment.users_complete)
        html += u"<br>"_s +
                muted_html(HostDetails::tr("Some processes could not be read; there may be more."));
    return html;
}

QString evidence_html(const HostSegment& segment) {
    QString rows;
    auto sentences = segment.evidence;
    if (!segment.advice.empty()) sentences.push_back(segment.advice);
    for (const auto& sentence : sentences)
        rows += u"<tr><td valign='top'>%1&nbsp;</td><td>%2</td></tr>"_s.arg(
            muted_html(u"•"_s), html_text(QString::fromStdString(sentence)));
    return rows.isEmpty() ? muted_html(HostDetails::tr("None."))
                          : u"<table cellspacing='0' cellpadding='1'>%1</table>"_s.arg(rows);
}

QString payer_text(const SegmentPayer& payer) {
    if (payer.group.empty())
        return payer.reason.empty()
                   ? HostDetails::tr("not told")
                   : HostDetails::tr("not told: %1").arg(QString::fromStdString(payer.reason));
    const auto name = QString::fromStdString(payer.name);
    return payer.known_by == SegmentPayer::KnownBy::earlier
               ? HostDetails::tr("%1, as recorded while it was mapped").arg(name)
               : name;
}

QString moment(Timestamp time) {
    if (time.micros == 0) return HostDetails::tr("unknown");
    return u"%1  (%2)"_s.arg(clock_text(time).section(u'.', 0, 0), since_text(time, shown_now()));
}

}  // namespace

HostDetails::HostDetails(const Workspace& workspace, QWidget* parent)
    : DetailsCard(tr("Select a segment to see its details."), 290, parent), workspace_(workspace) {
    build_head();
    build_facts();
}

void HostDetails::build_head() {
    verdict_ = make_sign();
    confidence_ = make_line({}, "muted");
    kind_ = make_sign();
    auto* row = new QHBoxLayout;
    row->setSpacing(8);
    for (auto* label : {verdict_, kind_}) row->addWidget(label, 0, Qt::AlignVCenter);
    row->addWidget(confidence_, 1);
    column()->addLayout(row);
    name_ = make_words();
    add_copy(row, tr("Copy name"), [this] { return whole_name_; });
    name_->setFont(Theme::instance().monospace());
    name_->setAccessibleName(tr("Segment"));
    column()->addWidget(name_);
    column()->addWidget(program_ = make_words());
    column()->addSpacing(4);
    evidence_ = add_section(tr("Evidence"), make_html());
    users_ = add_section(tr("Used by"), make_html());
}

void HostDetails::build_facts() {
    column()->addWidget(make_label(tr("About"), "section"));
    auto* facts = make_facts();
    for (const auto& name :
         {tr("Size"), tr("Resident"), tr("Owner"), tr("Mode"), tr("Creator"), tr("Paid by"),
          tr("Created"), tr("Last use"), tr("Where"), tr("Identity")})
        facts_.push_back(add_fact(facts, name));
    column()->addLayout(facts);
    column()->addSpacing(6);
    command_title_ = make_label(workspace_.commands_title(), "section");
    command_line_ = make_command_line({});
    command_ = command_line_->findChild<CommandText*>();
    column()->addWidget(command_title_);
    column()->addWidget(command_line_);
}

void HostDetails::show_segment(const HostSegment* segment) {
    show_content(segment != nullptr);
    if (!segment) return;
    set_chip(verdict_, verdict_title(segment->verdict), severity_of(segment->verdict));
    set_chip(kind_, kind_title(segment->kind), Severity::neutral);
    confidence_->set_text(tr("%1 % confidence").arg(segment->confidence));
    whole_name_ = QString::fromStdString(segment->name);
    say(name_, whole_name_);
    const bool other = !segment->label.empty() && segment->label != segment->name;
    const auto program = segment->program.empty()
                             ? tr("Unknown program")
                             : tr("Created by %1").arg(QString::fromStdString(segment->program));
    say(program_,
        other ? tr("%1, named %2").arg(program, QString::fromStdString(segment->label)) : program);
    say(evidence_, evidence_html(*segment));
    say(users_, users_html(*segment));
    show_facts(*segment);
    const bool left = segment->verdict == SegmentVerdict::left_over ||
                      segment->verdict == SegmentVerdict::unknown;
    command_title_->setVisible(left);
    command_line_->setVisible(left);
    command_->set_command(u"snakepit-shm host clean %1"_s.arg(shell_word(segment->name)));
}

void HostDetails::show_facts(const HostSegment& segment) {
    const auto owner =
        segment.user.empty()
            ? QString::number(segment.uid)
            : u"%1  (%2)"_s.arg(QString::fromStdString(segment.user)).arg(segment.uid);
    const auto identity = segment.kind == SegmentKind::system_v
                              ? tr("key 0x%1").arg(segment.key, 8, 16, QLatin1Char('0'))
                              : tr("inode %1, device %2").arg(segment.inode).arg(segment.device);
    const QString texts[] = {
        u"%1  (%2 bytes)"_s.arg(size_text(segment.size), count_text(segment.size)),
        size_text(segment.resident),
        owner,
        mode_text(segment.mode),
        segment.creator.pid == 0 ? tr("unknown") : creator_text(segment),
        payer_text(segment.payer),
        moment(segment.created),
        moment(segment.touched),
        place_text(segment),
        identity};
    for (std::size_t i = 0; i < facts_.size(); ++i) say(facts_[i], texts[i]);
}

}  // namespace snakepit::shm::ui
