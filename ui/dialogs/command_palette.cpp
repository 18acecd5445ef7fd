// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/command_palette.h"

#include <QAbstractButton>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLineEdit>
#include <QTimer>
#include <QToolButton>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/literals.h"
#include "ui/navigation_button.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr QSize kSize{560, 420};

// Without the marks of access keys, of which a doubled one is a character.
QString without_marks(QString text) {
    text.replace(u"&&"_s, QString(QChar::Null)).remove(u'&');
    return text.replace(QChar::Null, u'&').simplified();
}

QString name_of(const QWidget& widget) {
    if (!widget.accessibleName().isEmpty()) return widget.accessibleName();
    const auto* button = qobject_cast<const QAbstractButton*>(&widget);
    return button ? without_marks(button->text()) : QString();
}

void carry_out(QWidget* target) {
    if (!target || !target->isVisible() || !target->isEnabled()) return;
    auto* tool = qobject_cast<QToolButton*>(target);
    if (tool && tool->menu() && tool->popupMode() != QToolButton::MenuButtonPopup)
        tool->showMenu();
    else if (auto* button = qobject_cast<QAbstractButton*>(target))
        button->click();
    else
        target->setFocus(Qt::ShortcutFocusReason);
}

}  // namespace

CommandPalette::CommandPalette(QWidget& window)
    : QDialog(&window), commands_(commands_in(window)), list_(new QTreeWidget) {
    setWindowTitle(tr("Find an action"));
    resize(kSize.boundedTo(window.size()));
    words_ = make_search(tr("Find an action"), tr("Type a part of its name"));
    words_->installEventFilter(this);
    list_->setAccessibleName(tr("Actions"));
    list_->setHeaderLabels({tr("Action"), tr("Key")});
    list_->setRootIsDecorated(false);
    list_->setUniformRowHeights(true);
    list_->setFocusPolicy(Qt::NoFocus);  // the line keeps it, and moves the selection
    list_->header()->setStretchLastSection(false);
    list_->header()->setSectionResizeMode(0, QHeaderView::Stretch);
    list_->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    auto* column = new QVBoxLayout(this);
    column->addWidget(words_);
    column->addWidget(list_, 1);
    connect(words_, &QLineEdit::textChanged, this, &CommandPalette::show_matching);
    connect(list_, &QTreeWidget::itemActivated, this, &CommandPalette::run);
    connect(list_, &QTreeWidget::itemClicked, this, &CommandPalette::run);
    show_matching({});
    words_->setFocus();
}

std::vector<CommandPalette::Command> CommandPalette::commands_in(const QWidget& window) {
    std::vector<Command> out;
    for (auto* widget : window.findChildren<QWidget*>()) {
        auto* button = qobject_cast<QAbstractButton*>(widget);
        const auto* line = qobject_cast<QLineEdit*>(widget);
        if ((!button && !line) || !widget->isVisibleTo(&window) || widget->window() != &window)
            continue;
        auto name = name_of(*widget);
        if (name.isEmpty()) continue;
        if (qobject_cast<NavigationButton*>(widget)) name = tr("Go to %1").arg(name);
        const auto key = button ? button->shortcut() : QKeySequence(QKeySequence::Find);
        out.push_back({name, key.toString(QKeySequence::NativeText),
                       widget->isEnabled() ? QString() : widget->toolTip(), widget->isEnabled(),
                       widget});
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const Command& a, const Command& b) { return a.enabled > b.enabled; });
    return out;
}

void CommandPalette::show_matching(const QString& words) {
    const auto parts = words.split(u' ', Qt::SkipEmptyParts);
    list_->clear();
    for (std::size_t i = 0; i < commands_.size(); ++i) {
        const auto& command = commands_[i];
        const bool matches = std::all_of(parts.begin(), parts.end(), [&](const QString& part) {
            return command.name.contains(part, Qt::CaseInsensitive);
        });
        if (!matches) continue;
        auto* item = new QTreeWidgetItem(list_, {command.name, command.key});
        item->setData(0, Qt::UserRole, static_cast<qulonglong>(i));
        item->setDisabled(!command.enabled);
        item->setToolTip(0, command.reason);
    }
    list_->setCurrentItem(list_->topLevelItem(0));
}

void CommandPalette::run() {
    const auto* item = list_->currentItem();
    if (!item || item->isDisabled()) return;
    const auto target = commands_[item->data(0, Qt::UserRole).toULongLong()].target;
    accept();
    // With the window in front again: it may open a dialog.
    QTimer::singleShot(0, parentWidget(), [target] { carry_out(target); });
}

// The keys that move in the list while the line is being typed into.
bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
    if (watched != words_ || event->type() != QEvent::KeyPress)
        return QDialog::eventFilter(watched, event);
    const auto* key = static_cast<QKeyEvent*>(event);
    const int rows = list_->topLevelItemCount();
    const int row = list_->indexOfTopLevelItem(list_->currentItem());
    constexpr int kPage = 10;
    const auto go = [&](int to) {
        if (rows > 0) list_->setCurrentItem(list_->topLevelItem(std::clamp(to, 0, rows - 1)));
        return true;
    };
    switch (key->key()) {
        case Qt::Key_Down:
            return go(row + 1);
        case Qt::Key_Up:
            return go(row - 1);
        case Qt::Key_PageDown:
            return go(row + kPage);
        case Qt::Key_PageUp:
            return go(row - kPage);
        case Qt::Key_Return:
        case Qt::Key_Enter:
            run();
            return true;
        default:
            return QDialog::eventFilter(watched, event);
    }
}

}  // namespace snakepit::shm::ui
