// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/filter_line.h"

#include <QHBoxLayout>
#include <QLineEdit>
#include <QShortcut>
#include <QStyle>
#include <QVBoxLayout>

#include "ui/models/format.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

FilterLine::FilterLine(const QString& name, const QString& example, QWidget* parent)
    : QWidget(parent),
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
    lead_to(line_, this);
    auto* escape = new QShortcut(QKeySequence(Qt::Key_Escape), this);
    connect(escape, &QShortcut::activated, line_, &QLineEdit::clear);
    connect(line_, &QLineEdit::textChanged, this, &FilterLine::edited);
}

void FilterLine::set_text(const QString& text) {
    line_->setText(text);
}

void FilterLine::show_problem(const Error* problem) {
    problem_->setVisible(problem != nullptr);
    problem_->set_text(problem ? error_text(*problem) : QString());
    line_->setProperty("invalid", problem != nullptr);
    line_->style()->polish(line_);
}

void FilterLine::show_counts(std::size_t shown, std::size_t total) {
    badge_->setVisible(shown != total);
    say(badge_, tr("filtered: %1 of %2").arg(count_text(shown), count_text(total)));
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
