"""Messages and SQL92 expressions on which RocketMQ's evaluator and a broker are compared."""
import random

# The properties of the messages.
MESSAGES = [
    {}, {'a': '1'}, {'a': '5', 'b': 'x'}, {'a': '5.5', 'c': '5'}, {'a': '-7', 'b': '3000000000'}, {'a': 'true', 'b': 'TRUE'},
    {'a': 'abc', 'b': "it's", 'TAGS': 'TagA'}, {'a': ' 5 ', 'c': '1e3'}, {'a': 'NaN', 'b': 'Infinity', 'c': '-Infinity'},
    {'a': '99999999999999999999', 'b': '1e400', 'c': '-1e-400'}, {'a': '+5', 'b': '-0', 'c': '-0.0'}, {'a': '1d', 'b': '.5F', 'c': '7.'},
    {'a': 'grün', 'b': '漢字かな', 'TAGS': 'TagB'}, {'a': '2147483648', 'b': '2147483647', 'c': '-2147483649'},
    {'a': '9223372036854775807', 'b': '-9223372036854775808', 'c': '9223372036854775808'}, {'a': 'false', 'b': '0', 'c': 'x'},
    {'a': 'e5', 'b': '1e', 'c': '--1'}, {'b': '3', 'c': '4', 'd_1': 'y', '$e': 'z'}, {'a': '0005', 'b': '1e0000000005', 'c': '5f5'},
]

EXPRESSIONS = r"""
a = 1
a=3 and b<>4 And c>5 AND d<=4
a = 5
a = '5'
a = 5.5
a <> 5
a <> 'x'
NOT (a = 5)
NOT a = 5
NOT a
NOT NOT a
a
a AND b
a OR b
a IS NULL
a IS NOT NULL
NOT a IS NULL
a IS NULL IS NULL
a = b
a <> b
a = b IS NULL
(a = b) = (b = c)
a = b = c
a > 5
a >= 5
a < 5
a <= 5
5 < a
5 = a
'5' = 5
5 = '5'
'x' = 5
a > 2147483647
a > 2147483648
a > 3000000000
b = 3000000000
b = 3000000000L
b > 5l
a > -8
a > - 8
a > - - 8
a > + 4
-a = 5
-a IS NULL
-'x' IS NULL
-TRUE IS NULL
- NULL IS NULL
-a > 5 OR b = 'x'
-(5) = -5
-2147483648 = b
c = -2147483649
a > b
a >= b
a < b
b <= c
a = -9223372036854775807
a = 9223372036854775807
a = 9223372036854775808
a > 99999999999999999999
a > 0.5
a > .5
a > 5.
a > 5.e0
a > 5E0
a > 5e+0
a > 5e-1
a > 1.5e3
a > 0.0
a > 1e-400
a > 1e400
a > 4.9E-324
b > 1.7e308
c < -1.7e308
c = -0.5
b = 0
b = -0
c < 4.9E-324
a = TRUE
a = true
a <> TRUE
TRUE = a
FALSE = a
a = FALSE
TRUE
FALSE
NULL
NOT NULL
TRUE = TRUE
TRUE = FALSE
TRUE = 'x'
'x' = TRUE
1 = TRUE
TRUE = 1
TRUE <> FALSE
TRUE OR NULL
NULL AND FALSE
NOT (NULL AND FALSE)
NULL OR a = 1
NOT (a = 5 AND b = 'x')
NOT (a = 5 OR b = 'x')
a = 5 AND b = 'x' OR c = 4
a = 5 OR b = 'x' AND c = 4
(a = 5 OR b = 'x') AND c = 4
a = 5 OR a = 'abc'
a = 'abc' OR a = 5
b = 'x' OR a = 5
NULL IS NULL
1 IS NULL
1 IS NOT NULL
a = NULL
NULL = a
a <> NULL
a > NULL
a > 'x'
a > TRUE
TRUE > 1
(a = 1) > 1
a BETWEEN 1 AND 5
a between 1 and 5 and b = 'x'
a NOT BETWEEN 1 AND 5
a NOT BETWEEN 5 AND 1
a NOT BETWEEN 5 AND NULL
a BETWEEN 5 AND 1
a BETWEEN 5 AND 4.5
a BETWEEN 1 AND 5.5
a BETWEEN 1.5 AND 3000000000
a BETWEEN -10 AND -20
a BETWEEN 'a' AND 'b'
a BETWEEN NULL AND 5
a BETWEEN b AND c
a NOT BETWEEN b AND c
a BETWEEN b AND 5
5 BETWEEN b AND c
(a = 1) BETWEEN 1 AND 2
-(a = 1) BETWEEN 1 AND 2
a IN ('5', 'abc')
a IN ('5')
a NOT IN ('5', 'abc')
a NOT IN ('abc', 'abc')
a in ('5','x','abc','y','true','5.5')
a NOT IN ('5','x','abc','y','true','5.5')
b IN ('it''s')
a IN (5)
a IN ()
a IN ('5',)
'5' IN ('5')
(a) IN ('5')
+a IN ('5')
NOT a IN ('5')
a IN b
TAGS is not null and TAGS in ('TagA', 'TagB')
TAGS = 'TagA'
tags = 'TagA'
a CONTAINS 'b'
a NOT CONTAINS 'b'
a contains ''
a not contains ''
a CONTAINS b
a STARTSWITH 'a'
a NOT STARTSWITH 'a'
a StartsWith 'ab'
a ENDSWITH 'c'
a NOT ENDSWITH 'c'
a ENDSWITH ''
'abc' CONTAINS 'b'
5 CONTAINS '5'
5 NOT CONTAINS '5'
(a = 1) CONTAINS 'x'
a CONTAINS 'ü'
b CONTAINS '字か'
b ENDSWITH 'な'
a CONTAINS 'b' CONTAINS 'c'
a CONTAINS 'b' = TRUE
a = 5 = TRUE
a = (b > 5)
a = b > 5
b = 'it''s'
b = 'it'
b = ''''
a = ''
a = 'x
a = "x"
a == 5
a != 5
a =
= 5
a > > 5
a AND
AND a
a OR OR b
()
(a = 5
a = 5)
((a = 5))
(((((((((a)))))))))
a = 5 /* comment */ AND /* another * / one **/ b = 'x'
a = 5 -- comment
a = 5 /* comment
a = 5 AND b -- comment
a NOT b
a IS b
a IS NOT b
a LIKE 'x%'
a and between 2 and 10
a > 5 + 1
a * 5 = 5
$e = 'z'
d_1 = 'y'
_d = 'y' OR $e IS NOT NULL
a.b = 5
a-b = 5
a = 5AND b='x'
a=5OR b='x'
a = 0
a = 007
a = 0x1F
a = 5L
a = 5LAND b = 'x'
grün = 'x'
a = 'grün'
1
'x'
5 AND a
a AND 5
'x' OR a
NOT 5
NOT 'x'
NOT TRUE
a <= now
""".strip('\n').split('\n') + ['', ' ', 'a = 5 -- to the end\nAND b = \'x\'', 'a\t=\r\n5', 'a = \'x\ny\'', 'a = 5 ; b', 'a = 5 \x00', 'a\u00a0= 5']


def random_expression(chance, depth=3):
    """Mostly legal, of all kinds; may be refused."""
    names = ['a', 'b', 'c', 'a', 'b', 'nothing']
    numbers = ['5', '0', '-7', '5.5', '3000000000', '1e3', '- 5.5', '+ 5', '(5)', '- a']
    truths = ['TRUE', 'FALSE', 'NULL']
    strings = ["'5'", "'abc'", "'b'", "''", "'x'", "'it''s'", "'TRUE'"]

    def value(*kinds):
        if chance.random() < 0.02:
            kinds = (names, numbers, truths, strings)  # and what is refused
        return chance.choice(chance.choice(kinds))

    def condition(left):
        kind = chance.randrange(9)
        no = chance.choice(['', 'NOT '])
        if kind == 0:
            return f'{value(names, numbers)} {chance.choice(["<", "<=", ">", ">="])} {value(names, numbers)}'
        if kind <= 2:
            return f'{value(names, numbers, strings)} {chance.choice(["=", "<>"])} {value(names, numbers, strings, ["TRUE", "FALSE"])}'
        if kind == 3:
            return f'{value(names, numbers, truths)} IS {no}NULL'
        if kind == 4:
            return f'{value(names)} {no}BETWEEN {value(names, numbers)} AND {value(names, ["3000000000", "4e9"])}'
        if kind == 5:
            return f'{value(names)} {no}IN ({", ".join(chance.choice(strings) for _ in range(chance.randint(1, 7)))})'
        if kind == 6:
            return f'{value(names, strings)} {no}{chance.choice(["CONTAINS", "STARTSWITH", "ENDSWITH"])} {chance.choice(strings)}'
        if kind == 7 and left > 0:
            return f'({random_expression(chance, left - 1)}) {chance.choice(["=", "<>", "IS NULL OR"])} {value(names, ["TRUE"])}'
        return value(names, truths)

    parts = [condition(depth)]
    for _ in range(chance.choice([0, 0, 1, 1, 2, 4]) if depth else 0):
        inner = random_expression(chance, depth - 1)
        parts.append(chance.choice(['AND', 'OR']))
        parts.append(chance.choice([inner, f'({inner})', f'NOT ({inner})', f'NOT {inner}']))
    return ' '.join(parts)


def random_expressions(seed, count):
    chance = random.Random(seed)
    return [random_expression(chance) for _ in range(count)]
