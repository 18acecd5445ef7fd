// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/filter_line.h"

#include <QAction>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMenu>
#include <QShortcut>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/icons.h"
#include "ui/models/format.h"
#include "ui/models/settings.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr qsizetype kRecent = 10;

}  // namespace

FilterLine::FilterLine(const QString& name, const QString& example, const QString& settings_key,
                       QWidget* parent)
    : QWidget(parent),
      settings_key_(u"filter/"_s + settings_key),
      line_(make_search(name, example)),
      badge_(make_label({}, "badge")),
      problem_(make_line({}, "problem")),
      column_(new QVBoxLayout(this)) {
    badge_->hide();
    problem_->hide();
    column_->setContentsMargins(0, 0, 0, 0);
    column_->setSpacing(6);
    // The table below stays where it is while one types.
    column_->addLayout(make_row({line_, problem_, badge_}, line_));
    auto* recent = line_->addAction(icon(u"down"_s), QLineEdit::TrailingPosition);
    recent->setToolTip(tr("Recent filters"));
    connect(recent, &QAction::triggered, this, &FilterLine::offer_recent);
    for (auto* button : line_->findChildren<QToolButton*>())
        if (button->accessibleName().isEmpty()) button->setAccessibleName(tr("Recent filters"));
    line_->installEventFilter(this);
    lead_to(line_, this);
    auto* escape = new QShortcut(QKeySequence(Qt::Key_Escape), this);
    connect(escape, &QShortcut::activated, line_, &QLineEdit::clear);
    connect(line_, &QLineEdit::textChanged, this, &FilterLine::edited);
    connect(line_, &QLineEdit::editingFinished, this, &FilterLine::remember_text);
}

void FilterLine::set_text(const QString& text) {
    line_->setText(text);
}

void FilterLine::add_term(const QString& term) {
    const auto text = line_->text().trimmed();
    line_->setText(text.isEmpty() ? term : text + u' ' + term);
    remember_text();
}

// Quotes keep spaces together.
QString FilterLine::without_last_term(const QString& text) {
    qsizetype end = 0;
    bool quoted = false;
    for (qsizetype i = 0; i < text.size(); ++i) {
        if (text[i] == u'"') quoted = !quoted;
        if (text[i] == u' ' && !quoted) end = i;
    }
    return text.left(end);
}

void FilterLine::show_applied(const QString& text) {
    applied_ = text.trimmed();
    refusal_.clear();
    state_ = applied_.isEmpty() ? State::empty : State::applied;
    show_state();
}

void FilterLine::show_problem(const Error& problem, const QString* applied) {
    refusal_ = error_text(problem);
    if (applied) applied_ = applied->trimmed();
    state_ = applied ? State::unfinished : State::refused;
    show_state();
}

void FilterLine::show_counts(std::size_t shown, std::size_t total) {
    shown_ = shown;
    total_ = total;
    show_state();
}

void FilterLine::show_state() {
    if (refusal_.isEmpty() && !applied_.isEmpty())
        state_ = shown_ == 0 && total_ > 0 ? State::matches_nothing : State::applied;
    problem_->setVisible(!refusal_.isEmpty());
    problem_->set_text(refusal_);
    const bool refused = state_ == State::refused;
    if (line_->property("invalid").toBool() != refused) {
        line_->setProperty("invalid", refused);
        line_->style()->polish(line_);
    }
    const auto counts = tr("%1 of %2").arg(count_text(shown_), count_text(total_));
    badge_->setVisible(shown_ != total_ || !refusal_.isEmpty());
    if (refusal_.isEmpty())
        say(badge_, state_ == State::matches_nothing ? tr("no match: %1").arg(counts)
                                                     : tr("filtered: %1").arg(counts));
    else  // what the count belongs to
        say(badge_, applied_.isEmpty() ? tr("all rows are shown")
                                       : tr("only “%1” is applied: %2").arg(applied_, counts));
}

void FilterLine::remember_text() {
    const auto text = line_->text().trimmed();
    if (text.isEmpty() || !refusal_.isEmpty()) return;
    auto recent = remembered(settings_key_).split(u'\n', Qt::SkipEmptyParts);
    recent.removeAll(text);
    recent.prepend(text);
    remember(settings_key_, recent.mid(0, kRecent).join(u'\n'));
}

void FilterLine::offer_recent() {
    auto* menu = new QMenu(this);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    for (const auto& text : remembered(settings_key_).split(u'\n', Qt::SkipEmptyParts))
        // An ampersand would be a mnemonic.
        menu->addAction(visible_text(text).replace(u'&', u"&&"_s), line_,
                        [this, text] { line_->setText(text); });
    if (menu->isEmpty()) menu->addAction(tr("No recent filters"))->setEnabled(false);
    menu->popup(line_->mapToGlobal(QPoint(0, line_->height())));
}

bool FilterLine::eventFilter(QObject* watched, QEvent* event) {
    if (watched == line_ && event->type() == QEvent::KeyPress &&
        static_cast<QKeyEvent*>(event)->key() == Qt::Key_Down) {
        offer_recent();
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

void FilterLine::add_below(QWidget* widget) {
    column_->addWidget(widget);
}

QWidget* below(FilterLine* filter, QWidget* filtered) {
    auto* box = new QWidget;
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(8);
    column->addWidget(filter);
    column->addWidget(filtered, 1);
    return box;
}

}  // namespace snakepit::shm::ui
