// SPDX-License-Identifier: GPL-3.0-or-later
// The small parts pages are put together from.
#pragma once

#include <QFrame>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <vector>

#include "ui/models/severity.h"

class QBoxLayout;
class QFormLayout;
class QHBoxLayout;
class QLineEdit;
class QProgressBar;
class QStackedWidget;
class QVBoxLayout;

namespace snakepit::shm::ui {

QLabel* make_label(const QString& text, const char* object_name = nullptr);
// Text to be read and copied, on as many lines as it takes.
QLabel* make_words(const char* object_name = nullptr);
// Does nothing if the text is the same: a selection in it stays.
void say(QLabel* label, const QString& text);
// As HTML, in the colour of what matters less.
QString muted_html(const QString& text);
// Muted HTML: a process id and the name of its worker, if it has one.
QString pid_html(std::int64_t pid);
// Names at the left, values at the right.
QFormLayout* make_facts();
QLabel* add_fact(QFormLayout* facts, const QString& name);
QFormLayout* make_form();  // of fields to fill in
QProgressBar* make_busy();
QToolButton* make_tool(const QString& icon, const QString& text, const QString& shortcut = {});
QPushButton* make_button(const QString& icon, const QString& text);
template <typename Receiver, typename Slot>
QPushButton* make_button(const QString& icon, const QString& text, Receiver* receiver, Slot slot) {
    auto* button = make_button(icon, text);
    QObject::connect(button, &QPushButton::clicked, receiver, slot);
    return button;
}
QPushButton* make_primary(const QString& text);
QPushButton* make_danger(const QString& text);
// A short word on a rounded ground, in the colours of `severity`.
void set_chip(QLabel* label, const QString& text, Severity severity);
// Beside each other, without margins; `wide` takes what room is left.
QHBoxLayout* make_row(std::initializer_list<QWidget*> widgets, QWidget* wide = nullptr,
                      int spacing = 8);
// The same in a widget of its own.
QWidget* make_row_box(std::initializer_list<QWidget*> widgets, QWidget* wide = nullptr,
                      int spacing = 8);
// One of these is seen at a time, first the first.
QStackedWidget* make_stack(std::initializer_list<QWidget*> widgets);
// Hidden until there is a problem to show.
QLabel* make_problem();
void show_problem(QLabel* label, const QString& problem);
// Calls `slot` on `signal` while `widget` is visible.
template <typename Sender, typename Signal, typename Slot>
void while_visible(QWidget* widget, Sender* sender, Signal signal, Slot slot) {
    QObject::connect(sender, signal, widget, [widget, slot] {
        if (widget->isVisible()) slot();
    });
}
// A line to be typed into, with a magnifier; `example` is what stands in it while it is empty.
QLineEdit* make_search(const QString& name, const QString& example);
// Ctrl+F, while `page` is seen.
void lead_to(QLineEdit* line, QWidget* page);
// A command line in monospace, selectable, with a button that copies it.
QWidget* make_command_line(const QString& command);

// One line of plain text that is cut where it does not fit; the tooltip has all of it then.
class ElidedLabel : public QLabel {
    Q_OBJECT
  public:
    explicit ElidedLabel(Qt::TextElideMode mode = Qt::ElideMiddle) : mode_(mode) {}
    void set_text(const QString& text);
    QSize minimumSizeHint() const override { return {40, QLabel::minimumSizeHint().height()}; }

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void show_tooltip();
    Qt::TextElideMode mode_;
};
// The same with a name for the style sheet, cut at the end.
ElidedLabel* make_line(const QString& text, const char* object_name);

// A white rounded box with an optional title line and actions at its right.
class Card : public QFrame {
    Q_OBJECT
  public:
    explicit Card(const QString& title = {}, QWidget* content = nullptr);
    explicit Card(QWidget* content) : Card(QString(), content) {}
    QVBoxLayout* body() { return body_; }
    void add_action(QWidget* action);
    void set_title(const QString& title) { title_->set_text(title); }
    void set_note(const QString& note) { note_->set_text(note); }  // muted, behind the title

  private:
    ElidedLabel* title_ = nullptr;
    ElidedLabel* note_ = nullptr;
    QBoxLayout* head_ = nullptr;
    QVBoxLayout* body_;
};

// A line without axes: how a figure went lately. It gives way to the figure beside it.
class Sparkline : public QWidget {
    Q_OBJECT
  public:
    explicit Sparkline(QWidget* parent = nullptr);
    void set_values(std::vector<double> values);
    QSize sizeHint() const override { return {84, 34}; }
    QSize minimumSizeHint() const override { return {0, 34}; }

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    std::vector<double> values_;
};

// A key figure: icon and title, the figure, and a caption that puts it in proportion.
class FigureCard : public QFrame {
    Q_OBJECT
  public:
    FigureCard(const QString& icon, const QString& title, QWidget* parent = nullptr);
    void set_figure(const QString& figure, const QString& caption,
                    Severity severity = Severity::none);
    void set_trend(std::vector<double> values) { trend_->set_values(std::move(values)); }

  protected:
    void changeEvent(QEvent* event) override;

  private:
    QString icon_name_;
    Severity severity_ = Severity::none;
    QLabel* icon_;
    ElidedLabel* title_;
    QLabel* figure_;
    ElidedLabel* caption_;
    Sparkline* trend_;
};

// What to see where there is nothing yet, and what to do about it.
class EmptyState : public QWidget {
    Q_OBJECT
  public:
    EmptyState(const QString& icon, const QString& title, const QString& text,
               QWidget* parent = nullptr);
    void set_text(const QString& title, const QString& text);
    QVBoxLayout* extra() { return extra_; }

  private:
    QLabel* title_;
    QLabel* text_;
    QVBoxLayout* extra_;
};

}  // namespace snakepit::shm::ui
