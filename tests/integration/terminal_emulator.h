// SPDX-License-Identifier: MIT
// What a person would see: the screen that a program's output draws on a terminal of the xterm
// kind (vt100 is a part of it).
#pragma once

#include <QByteArray>
#include <QString>
#include <QStringList>
#include <QVector>

namespace snakepit::shm::test {

class TerminalEmulator {
  public:
    TerminalEmulator(int columns, int lines);

    void feed(const QByteArray& output);
    // As a terminal does: what does not fit any more is lost.
    void resize(int columns, int lines);

    QStringList lines() const;  // without the spaces at their ends
    QString text() const { return lines().join('\n'); }
    bool other_screen() const { return other_screen_; }  // the one of full-screen programs
    bool cursor_visible() const { return cursor_visible_; }
    // Anything else than letters, and sequences that are known: a program must not send it.
    QStringList surprises() const { return surprises_; }
    bool coloured() const { return coloured_; }  // some colour was asked for since the start

  private:
    // From there on; the number of bytes read, 0 when some are missing.
    qsizetype read_escape(qsizetype at);
    qsizetype read_letter(qsizetype at);
    void put(char32_t letter);
    void control(char letter);
    void escape(char letter);
    void sequence(const QByteArray& parameters, char final);
    void move(int by_lines, int by_columns);
    void erase(int line, int from, int to);  // columns, `to` not included
    void erase_screen(int mode);
    void erase_line(int mode);
    void scroll(int by);  // up; negative: down
    void mode(const QByteArray& parameters, bool on);
    void style(const QByteArray& parameters);

    int columns_, lines_;
    QVector<QVector<char32_t>> cells_;  // 0: covered by the wide letter before it
    int line_ = 0, column_ = 0, top_ = 0, bottom_;
    int saved_line_ = 0, saved_column_ = 0;
    bool wrap_pending_ = false;
    bool other_screen_ = false, cursor_visible_ = true, coloured_ = false;
    char32_t last_ = U' ';
    QByteArray unread_;
    QStringList surprises_;
};

}  // namespace snakepit::shm::test
