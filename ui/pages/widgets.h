// SPDX-License-Identifier: GPL-3.0-or-later
// The small parts pages are put together from.
#pragma once

#include <QFrame>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <functional>
#include <vector>

#include "ui/models/severity.h"
#include "ui/pages/labels.h"

class QBoxLayout;
class QFormLayout;
class QGridLayout;
class QHBoxLayout;
class QLineEdit;
class QProgressBar;
class QStackedWidget;
class QVBoxLayout;

namespace snakepit::shm::ui {

// Names at the left, values at the right.
QFormLayout* make_facts();
QLabel* add_fact(QFormLayout* facts, const QString& name);
QFormLayout* make_form();  // of fields to fill in
QProgressBar* make_busy();
// An icon; with a `label` also words. A shortcut given here is in the tooltip and works.
QToolButton* make_tool(const QString& icon, const QString& text, const QString& shortcut = {},
                       const QString& label = {});
QPushButton* make_button(const QString& icon, const QString& text);
template <typename Receiver, typename Slot>
QPushButton* make_button(const QString& icon, const QString& text, Receiver* receiver, Slot slot) {
    auto* button = make_button(icon, text);
    QObject::connect(button, &QPushButton::clicked, receiver, slot);
    return button;
}
QPushButton* make_primary(const QString& text);
QPushButton* make_danger(const QString& text);
// Enabled if it is allowed and there is no reason against it, which its tooltip says otherwise.
void allow(QWidget* control, bool allowed, const QString& why_not);
// What went wrong, in a box of its own: plain text.
void show_warning(QWidget* parent, const QString& title, const QString& text);
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

// A line above 0 without axes: how a figure went lately. NaN leaves a gap. It gives way to the
// figure beside it.
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
    // A click, Return or the space bar leads there.
    void lead_to(const QString& hint, std::function<void()> go);

  protected:
    void changeEvent(QEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

  private:
    std::function<void()> go_;
    QString icon_name_;
    Severity severity_ = Severity::none;
    QLabel* icon_;
    ElidedLabel* title_;
    QLabel* figure_;
    ElidedLabel* caption_;
    Sparkline* trend_;
};

// Key figures beside each other; in two rows where the window is narrow.
class FigureRow : public QWidget {
    Q_OBJECT
  public:
    explicit FigureRow(QList<FigureCard*> cards);

  protected:
    void resizeEvent(QResizeEvent* event) override;

  private:
    void arrange(int columns);
    QList<FigureCard*> cards_;
    QGridLayout* grid_;
    int columns_ = 0;
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
