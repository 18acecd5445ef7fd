// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <functional>

class QHBoxLayout;
class QLabel;
class QScrollArea;
class QToolButton;
class QVBoxLayout;

namespace snakepit::shm::ui {

// What stands beside a table: everything about the one that is selected, as long as it takes; a
// hint where none is, or several are.
class DetailsCard : public QFrame {
    Q_OBJECT
  public:
    // In pixels, the least that it is wide.
    DetailsCard(const QString& hint, int width, QWidget* parent = nullptr);
    void show_hint(const QString& text);

  protected:
    QVBoxLayout* column() { return column_; }                 // of what is shown of the one
    void show_content(bool shown);                            // or the hint
    QLabel* add_section(const QString& title, QLabel* text);  // below what there is; the text
    // A button that copies what `copied` answers.
    void add_copy(QHBoxLayout* row, const QString& text, std::function<QString()> copied);

  private:
    QLabel* hint_;
    QScrollArea* scroll_;
    QVBoxLayout* column_;
};

// Shows and hides such a card; it is checked while the card is wanted.
QToolButton* make_details_tool();

}  // namespace snakepit::shm::ui
