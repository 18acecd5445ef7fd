// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/silences_view.h"

#include "ui/models/alert_rule_model.h"
#include "ui/models/alert_text.h"
#include "ui/models/format.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

SilencesView::SilencesView(Workspace& workspace, QWidget* parent)
    : AskedTable(
          workspace, u"silences"_s,
          new EmptyState(u"silence"_s, tr("No silences"),
                         tr("To silence alerts for a while, select an alert and choose Silence…")),
          parent),
      model_(new SilenceModel(this)),
      end_(make_button(u"alerts"_s, tr("End silence"))) {
    show_model(model_);
    table()->set_default_columns(
        {kSilenceRule, kSilenceSubject, kSilenceUntil, kSilenceBy, kSilenceMade, kSilenceComment},
        {220, 240, 200, 90, 90, 200});
    table()->setAccessibleName(tr("Silences"));
    table()->restore_layout();
    add_action(end_);
    connect(end_, &QPushButton::clicked, this, &SilencesView::end_selected);
    show_selection();
}

std::vector<std::uint64_t> SilencesView::selected() const {
    std::vector<std::uint64_t> ids;
    for (const int row : table()->selected_rows()) ids.push_back(model_->row(row)->id);
    return ids;
}

void SilencesView::show_selection() {
    const auto ids = selected();
    actions()->setVisible(model_->rowCount() > 0);
    allow(end_, !ids.empty(), workspace_.why_not());
    show_command(ids.size() == 1 ? workspace_.command(unsilence_words(ids.front())) : QString());
}

void SilencesView::end_selected() {
    end_->setEnabled(false);
    const auto job = [ids = selected()](MonitoringPort& port) -> Status {
        for (const auto id : ids) {
            SHM_TRY(port.unsilence(id));
        }
        return {};
    };
    workspace_.monitor(this, job, [this](const Status& done) {
        show_problem(done ? nullptr : &done.error());
        refresh();
        Q_EMIT ended();
    });
}

void SilencesView::refresh() {
    ask([](MonitoringPort& port) { return port.silences(); },
        [this](Result<std::vector<AlertSilence>> silences) { receive(std::move(silences)); });
}

void SilencesView::receive(Result<std::vector<AlertSilence>> silences) {
    const bool lacks = !silences && workspace_.bundle();
    show_problem(silences || lacks ? nullptr : &silences.error());
    if (silences) model_->show(*silences);
    if (lacks) empty()->set_text(workspace_.unknown_title({}), error_text(silences.error()));
    show_rows();
    show_selection();
}

}  // namespace snakepit::shm::ui
