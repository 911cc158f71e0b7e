# cmake -D IN=FILE -D OUT=FILE.c -D HEADER=INCLUDE -D NAME=SYMBOL -P embed.cmake: FILE's bytes as `SYMBOL` and `SYMBOL_len`.
file(READ "${IN}" bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR length "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${OUT}" "#include \"${HEADER}\"\n\nconst unsigned char ${NAME}[] = {${bytes}};\nconst size_t ${NAME}_len = ${length};\n")
