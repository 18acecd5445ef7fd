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
    embed_ = new QPushButton(tr("Start a manager in this window"));
    connect(embed_, &QPushButton::clicked, this, &StateBanner::manager_wanted);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(22, 8, 22, 8);
    row->addWidget(sign);
    row->addWidget(text_, 1);
    row->addWidget(resume_);
    row->addWidget(embed_);
    connect(&workspace, &Workspace::link_changed, this, &StateBanner::show_state);
    connect(&workspace, &Workspace::pause_changed, this, &StateBanner::show_state);
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
    for (const auto& text : {bundle_text(), pause_text(), link_text()})
        if (!text.isEmpty()) sentences << text;
    say(text_, sentences.join(u' '));
    resume_->setVisible(workspace_.paused());
    const auto link = workspace_.link();
    embed_->setVisible(!host_.embedded() && (link == Link::silent || link == Link::absent));
    setVisible(!sentences.isEmpty());
}

}  // namespace snakepit::shm::ui
