// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state_banner.h"

#include <QHBoxLayout>

#include "ui/icons.h"
#include "ui/models/format.h"
#include "ui/models/host.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

StateBanner::StateBanner(Workspace& workspace, const ManagerHost& host, QWidget* parent)
    : QFrame(parent), workspace_(workspace), host_(host), text_(make_words()) {
    setObjectName(u"banner"_s);
    auto* sign = make_sign();
    sign->setPixmap(icon(u"warning"_s, Severity::caution).pixmap(18, 18));
    resume_ = make_button(u"play"_s, tr("Resume"), this, [this] { workspace_.set_paused(false); });
    live_ = make_button(u"follow"_s, tr("Back to live"), this, &StateBanner::live_wanted);
    embed_ = new QPushButton(tr("Start a manager in this window"));
    connect(embed_, &QPushButton::clicked, this, &StateBanner::manager_wanted);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(22, 8, 22, 8);
    row->addWidget(sign);
    row->addWidget(text_, 1);
    row->addWidget(resume_);
    row->addWidget(live_);
    row->addWidget(embed_);
    connect(&workspace, &Workspace::link_changed, this, &StateBanner::show_state);
    connect(&workspace, &Workspace::pause_changed, this, &StateBanner::show_state);
    connect(&workspace, &Workspace::moment_changed, this, &StateBanner::show_state);
    show_state();
}

QString StateBanner::bundle_text() const {
    if (!workspace_.bundle()) return {};
    const auto& bundle = *workspace_.bundle();
    return tr("%1 is a diagnostic bundle of %2, taken on %3. It is read-only.")
        .arg(bundle.file, bundle.host, zoned_text(bundle.at));
}

QString StateBanner::pause_text() const {
    if (!workspace_.pause()) return {};
    const auto& pause = *workspace_.pause();
    return tr("Paused %1 ago: %2 came and %3 went since then.")
        .arg(duration_text((now().micros - pause.since.micros) / 1000),
             pluralize(pause.came, "region", "regions"), count_text(pause.went));
}

// The moment, and what is not known of it.
QString StateBanner::past_text() const {
    if (!workspace_.past()) return {};
    const auto& past = *workspace_.past();
    const auto& state = past.state;
    QStringList out{tr("All pages show %1. Nothing can be changed until you go back to live.")
                        .arg(zoned_text(state.moment))};
    if (!state.recorded)
        out << (state.first.micros == 0
                    ? tr("No event is recorded, so the regions are not known.")
                    : tr("The events go back to %1, so the regions of this moment are not known.")
                          .arg(short_clock_text(state.first)));
    else if (state.manager.state == PastManager::State::stopped)
        out << tr("No manager was running: it had stopped at %1.")
                   .arg(short_clock_text(state.manager.since));
    else if (!past.measured)
        out << tr("No metrics are recorded of this moment; the manager may not have been running.");
    if (state.not_known > 0)
        out << tr("Events were lost: whether %1 existed is not known.")
                   .arg(pluralize(state.not_known, "more region", "more regions"));
    return out.join(u' ');
}

QString StateBanner::link_text() const {
    const auto last = workspace_.heartbeat();
    if (workspace_.link() == Link::silent)
        return tr("The manager has not responded since %1; reconnecting… The registry is shown in "
                  "its last state.")
            .arg(short_clock_text(last));
    if (workspace_.link() != Link::absent) return {};
    const auto why = tr("No manager found: %1").arg(workspace_.problem());
    return last.micros == 0
               ? why
               : tr("%1 All pages show the state of %2.").arg(why, short_clock_text(last));
}

void StateBanner::show_state() {
    QStringList sentences;
    for (const auto& text : {bundle_text(), pause_text(), past_text(), link_text()})
        if (!text.isEmpty()) sentences << text;
    say(text_, sentences.join(u' '));
    resume_->setVisible(workspace_.paused());
    live_->setVisible(workspace_.past().has_value());
    const auto link = workspace_.link();
    embed_->setVisible(!host_.embedded() && (link == Link::silent || link == Link::absent));
    setVisible(!sentences.isEmpty());
}

}  // namespace snakepit::shm::ui
