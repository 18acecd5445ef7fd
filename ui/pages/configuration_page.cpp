// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/configuration_page.h"

#include <QLineEdit>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "ui/dialogs/setting_dialog.h"
#include "ui/models/configuration_model.h"
#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

ConfigurationPage::ConfigurationPage(Workspace& workspace, QWidget* parent)
    : Page(workspace, tr("Settings"), tr("Behaviour of the manager, and where it is set"), parent),
      model_(new ConfigurationModel(this)),
      table_(new TableView(u"settings"_s)),
      words_(make_search(tr("Find a setting"), tr("Find: words of its key or meaning"))),
      empty_(new EmptyState(u"edit"_s, tr("Loading the settings…"), {})),
      stack_(make_stack({table_, empty_})),
      change_(make_button(u"edit"_s, tr("Change…"), this, &ConfigurationPage::change)),
      undo_(make_button(u"refresh"_s, tr("Undo"), this, &ConfigurationPage::undo)),
      note_(make_label({}, "muted")) {
    table_->setSelectionMode(QAbstractItemView::SingleSelection);
    table_->set_up(model_, tr("Settings"),
                   {kSettingKey, kSettingValue, kSettingActive, kSettingOrigin, kSettingMeaning},
                   {260, 150, 130, 80, 400}, TableView::Sorting::by_columns);
    note_->setWordWrap(true);
    note_->setTextFormat(Qt::PlainText);
    note_->hide();
    undo_->hide();
    add_actions({undo_, change_});
    body()->addWidget(words_);
    body()->addWidget(note_);
    body()->addWidget(new Card(stack_), 1);
    lead_to(words_, this);
    connect(words_, &QLineEdit::textChanged, this, [this](const QString& words) {
        model_->set_words(words);
        show_rows();
    });
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &ConfigurationPage::show_selection);
    connect(table_, &QTableView::activated, this, &ConfigurationPage::change);
    while_visible(this, &workspace, &Workspace::moment_changed, [this] { refresh(); });
    set_main(table_);
    show_selection();
    show_rows();
}

const Setting* ConfigurationPage::selected() const {
    const auto rows = table_->selected_rows();
    return rows.isEmpty() ? nullptr : model_->row(rows.front());
}

void ConfigurationPage::refresh() {
    if (workspace_.past()) {
        model_->show({});
        empty_->set_text(tr("Settings are not recorded"),
                         tr("Go back to live to see the current ones."));
        return show_rows();
    }
    if (!workspace_.has_configuration())
        return empty_->set_text(tr("No settings are shown"),
                                tr("A bundle has no configuration file on this host."));
    if (asking_) return;
    asking_ = true;
    workspace_.configure(
        this, [](ConfigurationPort& port) { return port.read(); },
        [this](Result<Configuration> configuration) {
            asking_ = false;
            if (!workspace_.past()) receive(std::move(configuration));
        });
}

void ConfigurationPage::receive(Result<Configuration> configuration) {
    if (configuration) {
        configuration_ = std::move(*configuration);
        model_->show(configuration_.settings);
        set_subtitle(configuration_.exists
                         ? visible_text(QString::fromStdString(configuration_.file))
                         : tr("Built-in defaults; a change creates %1")
                               .arg(visible_text(QString::fromStdString(configuration_.file))));
    } else {
        // What was shown may not be so any more.
        model_->show({});
        empty_->set_text(tr("The settings could not be loaded"), error_text(configuration.error()));
    }
    show_rows();
    show_selection();
    Q_EMIT loaded();
}

void ConfigurationPage::show_rows() {
    if (model_->rowCount() == 0 && model_->total() > 0)
        empty_->set_text(tr("No setting matches"), tr("Use fewer or other words."));
    stack_->setCurrentIndex(model_->rowCount() > 0 ? 0 : 1);
}

void ConfigurationPage::show_selection() {
    change_->setEnabled(selected() != nullptr && workspace_.can_act());
}

void ConfigurationPage::change() {
    const auto* setting = selected();
    if (!setting || !workspace_.can_act()) return;
    auto* dialog = new SettingDialog(workspace_, configuration_, *setting, window());
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &SettingDialog::changed, this,
            [this, before = *setting](const SettingChange& change) { note(before, change); });
    connect(dialog, &SettingDialog::finished_run, this, &ConfigurationPage::refresh);
    dialog->open();
}

void ConfigurationPage::note(const Setting& before, const SettingChange& change) {
    const auto key = QString::fromStdString(before.key);
    const auto former = setting_text(before, before.value);
    note_->setText(
        change.reason ? tr("%1 is changed in the file, but the manager did not apply it: %2")
                            .arg(key, error_text(*change.reason))
        : !change.applied || before.waits
            ? tr("%1 is changed in the file. It takes effect when the manager starts next.")
                  .arg(key)
            : tr("%1 is changed and in effect. It was %2 before.").arg(key, former));
    note_->show();
    undo_change_ = Undo{before, change.value};
    undo_->setToolTip(tooltip_text(tr("Set %1 to %2 again").arg(key, former)));
    undo_->show();
}

void ConfigurationPage::undo() {
    if (!undo_change_ || !workspace_.can_act()) return;
    const auto undo = *std::exchange(undo_change_, std::nullopt);
    undo_->hide();
    if (!workspace_.can_act()) return;
    workspace_.configure(
        this,
        [undo](ConfigurationPort& port) {
            return change_setting(port, undo.before.key, undo.now,
                                  literal_text(undo.before.value).toStdString());
        },
        [this, undo](const Result<SettingChange>& done) {
            note_->setText(done ? tr("%1 is %2 again.")
                                      .arg(QString::fromStdString(undo.before.key),
                                           setting_text(undo.before, undo.before.value))
                                : error_text(done.error()));
            refresh();
        });
}

}  // namespace snakepit::shm::ui
