// SPDX-License-Identifier: MIT
#include "terminal_emulator.h"

#include <algorithm>

namespace snakepit::shm::test {

namespace {

// The scripts the tests use.
bool is_wide(char32_t letter) {
    return (letter >= 0x2E80 && letter <= 0xA4CF) || (letter >= 0xAC00 && letter <= 0xD7A3) ||
           (letter >= 0xFF00 && letter <= 0xFF60);
}

int number(const QByteArray& parameters, int index, int otherwise) {
    const auto words = parameters.split(';');
    const auto value = index < words.size() ? words[index].toInt() : 0;
    return value == 0 ? otherwise : value;
}

// Bytes of the letter that begins so; 0: none does.
int length_of(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    if (byte < 0x80) return 1;
    if (byte >= 0xC2 && byte < 0xE0) return 2;
    if (byte >= 0xE0 && byte < 0xF0) return 3;
    return byte >= 0xF0 && byte < 0xF5 ? 4 : 0;
}

}  // namespace

TerminalEmulator::TerminalEmulator(int columns, int lines)
    : columns_(columns), lines_(lines), bottom_(lines - 1) {
    resize(columns, lines);
}

void TerminalEmulator::resize(int columns, int lines) {
    columns_ = columns;
    lines_ = lines;
    cells_.resize(lines);
    for (auto& row : cells_) {
        const auto had = row.size();
        row.resize(columns);
        for (auto i = had; i < columns; ++i) row[i] = U' ';
    }
    top_ = 0;
    bottom_ = lines - 1;
    line_ = std::min(line_, lines - 1);
    column_ = std::min(column_, columns - 1);
}

QStringList TerminalEmulator::lines() const {
    QStringList out;
    for (const auto& row : cells_) {
        QString line;
        for (const auto letter : row)
            if (letter != 0) line += QString::fromUcs4(&letter, 1);
        while (line.endsWith(' ')) line.chop(1);
        out += line;
    }
    return out;
}

void TerminalEmulator::feed(const QByteArray& output) {
    unread_ += output;
    qsizetype at = 0;
    while (at < unread_.size()) {
        const auto byte = static_cast<unsigned char>(unread_[at]);
        const auto read = byte == 0x1B ? read_escape(at) : byte < 0x20 ? 1 : read_letter(at);
        if (read == 0) break;  // the rest has not come yet
        if (byte < 0x20 && byte != 0x1B) control(unread_[at]);
        at += read;
    }
    unread_.remove(0, at);
}

qsizetype TerminalEmulator::read_escape(qsizetype at) {
    const auto left = unread_.size() - at;
    if (left < 2) return 0;
    const char kind = unread_[at + 1];
    if (kind == '(' || kind == ')') return left < 3 ? 0 : 3;  // sets of letters
    if (kind != '[') {
        escape(kind);
        return 2;
    }
    auto end = at + 2;
    while (end < unread_.size() && (unread_[end] < '@' || unread_[end] > '~')) ++end;
    if (end >= unread_.size()) return 0;
    sequence(unread_.mid(at + 2, end - at - 2), unread_[end]);
    return end + 1 - at;
}

qsizetype TerminalEmulator::read_letter(qsizetype at) {
    const auto length = length_of(unread_[at]);
    if (length > unread_.size() - at) return 0;
    const auto bytes = unread_.mid(at, std::max(length, 1));
    const auto letters = QString::fromUtf8(bytes).toUcs4();
    const bool known = length > 0 && letters.size() == 1 && letters[0] != 0x7F &&
                       (letters[0] < 0x80 || letters[0] >= 0xA0);
    if (known)
        put(letters[0]);
    else
        surprises_ += "bytes " + bytes.toHex();
    return bytes.size();
}

void TerminalEmulator::put(char32_t letter) {
    const int wide = is_wide(letter) ? 2 : 1;
    if (wrap_pending_ || column_ + wide > columns_) {
        wrap_pending_ = false;
        column_ = 0;
        control('\n');
    }
    cells_[line_][column_] = letter;
    if (wide == 2) cells_[line_][column_ + 1] = 0;
    last_ = letter;
    column_ += wide;
    if (column_ >= columns_) {
        column_ = columns_ - 1;
        wrap_pending_ = true;
    }
}

void TerminalEmulator::control(char letter) {
    wrap_pending_ = false;
    switch (letter) {
        case '\r':
            column_ = 0;
            return;
        case '\n':
            if (line_ == bottom_)
                scroll(1);
            else
                line_ = std::min(line_ + 1, lines_ - 1);
            return;
        case '\b':
            column_ = std::max(0, column_ - 1);
            return;
        case '\t':
            column_ = std::min(columns_ - 1, (column_ / 8 + 1) * 8);
            return;
        case '\0':
        case '\007':
        case '\016':
        case '\017':
            return;
        default:
            surprises_ += QString("control %1").arg(int(letter));
    }
}

void TerminalEmulator::escape(char letter) {
    switch (letter) {
        case '7':
            saved_line_ = line_;
            saved_column_ = column_;
            return;
        case '8':
            line_ = std::min(saved_line_, lines_ - 1);
            column_ = std::min(saved_column_, columns_ - 1);
            return;
        case 'M':
            if (line_ == top_)
                scroll(-1);
            else
                line_ = std::max(line_ - 1, 0);
            return;
        case 'D':
            return control('\n');
        case '=':
        case '>':
        case 'H':
            return;
        default:
            surprises_ += QString("escape %1").arg(letter);
    }
}

void TerminalEmulator::move(int by_lines, int by_columns) {
    line_ = std::clamp(line_ + by_lines, 0, lines_ - 1);
    column_ = std::clamp(column_ + by_columns, 0, columns_ - 1);
}

void TerminalEmulator::erase(int line, int from, int to) {
    for (int i = std::max(from, 0); i < std::min(to, columns_); ++i) cells_[line][i] = U' ';
}

void TerminalEmulator::erase_line(int mode) {
    erase(line_, mode == 0 ? column_ : 0, mode == 1 ? column_ + 1 : columns_);
}

void TerminalEmulator::erase_screen(int mode) {
    erase_line(mode);
    for (int i = mode == 0 ? line_ + 1 : 0; i < (mode == 1 ? line_ : lines_); ++i)
        erase(i, 0, columns_);
}

void TerminalEmulator::scroll(int by) {
    const QVector<char32_t> blank(columns_, U' ');
    for (int i = 0; i < std::abs(by); ++i) {
        cells_.remove(by > 0 ? top_ : bottom_);
        cells_.insert(by > 0 ? bottom_ : top_, blank);
    }
}

void TerminalEmulator::mode(const QByteArray& parameters, bool on) {
    for (const auto& word : parameters.mid(1).split(';')) {
        if (word == "1049") other_screen_ = on;
        if (word == "1049" && on) erase_screen(2);
        if (word == "25") cursor_visible_ = on;
    }
}

void TerminalEmulator::style(const QByteArray& parameters) {
    for (const auto& word : parameters.split(';')) {
        const auto value = word.toInt();
        coloured_ = coloured_ || (value >= 30 && value <= 38) || (value >= 40 && value <= 48) ||
                    (value >= 90 && value <= 107);
    }
}

void TerminalEmulator::sequence(const QByteArray& parameters, char final) {
    wrap_pending_ = false;
    const int n = number(parameters, 0, 1);
    switch (final) {
        case 'A':
            return move(-n, 0);
        case 'B':
        case 'e':
            return move(n, 0);
        case 'C':
            return move(0, n);
        case 'D':
            return move(0, -n);
        case 'G':
            return move(0, n - 1 - column_);
        case 'd':
            return move(n - 1 - line_, 0);
        case 'H':
        case 'f':
            return move(n - 1 - line_, number(parameters, 1, 1) - 1 - column_);
        case 'J':
            return erase_screen(number(parameters, 0, 0));
        case 'K':
            return erase_line(number(parameters, 0, 0));
        case 'X':
            return erase(line_, column_, column_ + n);
        case 'P':
            cells_[line_].remove(column_, std::min(n, columns_ - column_));
            return resize(columns_, lines_);
        case '@':
            cells_[line_].insert(column_, std::min(n, columns_ - column_), U' ');
            return resize(columns_, lines_);
        case 'L':
        case 'M': {
            const auto top = std::exchange(top_, line_);
            scroll(final == 'M' ? n : -n);
            top_ = top;
            return;
        }
        case 'S':
            return scroll(n);
        case 'T':
            return scroll(-n);
        case 'b':
            for (int i = 0; i < n; ++i) put(last_);
            return;
        case 'r':
            top_ = n - 1;
            bottom_ = number(parameters, 1, lines_) - 1;
            return move(-line_, -column_);
        case 'm':
            return style(parameters);
        case 'h':
        case 'l':
            return mode(parameters, final == 'h');
        case 'c':  // the form of the Linux console's cursor
        case 't':
            return;
        default:
            surprises_ += QString("sequence %1%2").arg(QString::fromLatin1(parameters)).arg(final);
    }
}

}  // namespace snakepit::shm::test
