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
      problem_(make_problem()),
      column_(new QVBoxLayout(this)) {
    badge_->hide();
    column_->setContentsMargins(0, 0, 0, 0);
    column_->setSpacing(6);
    column_->addLayout(make_row({line_, badge_}, line_));
    column_->addWidget(problem_);
    lead_to(line_, this);
    auto* escape = new QShortcut(QKeySequence(Qt::Key_Escape), this);
    connect(escape, &QShortcut::activated, line_, &QLineEdit::clear);
    connect(line_, &QLineEdit::textChanged, this, &FilterLine::edited);
}

void FilterLine::set_text(const QString& text) {
    line_->setText(text);
}

void FilterLine::show_problem(const Error* problem) {
    ui::show_problem(problem_, problem ? error_text(*problem) : QString());
    line_->setProperty("invalid", problem != nullptr);
    line_->style()->polish(line_);
}

void FilterLine::show_counts(std::size_t shown, std::size_t total) {
    badge_->setVisible(shown != total);
    badge_->setText(tr("filtered: %1 of %2").arg(count_text(shown), count_text(total)));
}

void FilterLine::add_below(QWidget* widget) {
    column_->addWidget(widget);
}

}  // namespace snakepit::shm::ui
