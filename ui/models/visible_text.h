// SPDX-License-Identifier: GPL-3.0-or-later
// Names of programs, files and users are bytes that anyone may choose: what becomes of them before
// they are drawn, and before a shell reads them.
#pragma once

#include <QString>
#include <string_view>

namespace snakepit::shm::ui {

// One line. Control characters, line ends and marks that turn the direction of writing are U+FFFD.
QString visible_text(const QString& text);
// The same, but line ends stay: for sentences of ours with names in them.
QString visible_lines(const QString& text);

// Long words of it can be broken: a label would be as wide as its longest word otherwise.
QString breakable(const QString& text);
// The text without what breakable() added.
QString unbroken(QString text);

// For a place in HTML: visible, breakable and never markup.
QString html_text(const QString& text);
// For QWidget::setToolTip() and Qt::ToolTipRole: visible, never markup, in lines of limited length.
QString tooltip_text(const QString& text);

// As one word of a POSIX shell that supports $'…': exactly these bytes, and only visible ASCII if
// they are not plain text.
QString shell_word(std::string_view bytes);
QString shell_word(const QString& word);

}  // namespace snakepit::shm::ui
