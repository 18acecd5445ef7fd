// SPDX-License-Identifier: GPL-3.0-or-later
// All text of the window that is not in a table. Names in it are never markup: a label is plain
// text unless it was made by make_html(), and who builds HTML passes each name to html_text().
#pragma once

#include <QLabel>
#include <cstdint>

namespace snakepit::shm::ui {

// Plain text; `object_name` is for the style sheet.
QLabel* make_label(const QString& text, const char* object_name = nullptr);
// A sign without words, or what a chip is drawn on.
QLabel* make_sign();
// Text to be read and copied, on as many lines as it takes; long words are broken.
QLabel* make_words(const char* object_name = nullptr);
QLabel* make_words(const QString& text, const char* object_name);
// The same with markup of ours. The only rich text there is.
QLabel* make_html(const char* object_name = nullptr);
// Shows a line of text: in HTML labels as it is. Does nothing if the text is the same, so that a
// selection in it stays.
void say(QLabel* label, const QString& text);
void say_lines(QLabel* label, const QString& text);  // line ends stay
void set_tooltip(QWidget* widget, const QString& text);

// HTML in the colour of what matters less.
QString muted_html(const QString& text);
// Muted HTML: a process id and the name of its worker, if it has one.
QString pid_html(std::int64_t pid);

// Hidden until there is a problem to show.
QLabel* make_problem();
void show_problem(QLabel* label, const QString& problem);

// One line of plain text that is cut where it does not fit; the tooltip has all of it then.
class ElidedLabel : public QLabel {
    Q_OBJECT
  public:
    explicit ElidedLabel(Qt::TextElideMode mode = Qt::ElideMiddle);
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

// A command line in monospace on at most three lines; its text() is always whole.
class CommandText : public QLabel {
    Q_OBJECT
  public:
    CommandText();
    void set_command(const QString& command);
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    QStringList lines(int width) const;
    int around_height() const;
};
// With a button that copies it; its CommandText is named "command".
QWidget* make_command_line(const QString& command);

}  // namespace snakepit::shm::ui
