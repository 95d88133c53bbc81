from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS `stray_objects` (
    `id` CHAR(36) NOT NULL PRIMARY KEY,
    `created_at` DATETIME(6) NOT NULL,
    `updated_at` DATETIME(6) NOT NULL,
    `key` VARBINARY(800) NOT NULL UNIQUE,
    `due_at` DATETIME(6) NOT NULL,
    KEY `idx_stray_objec_due_at_fedfa9` (`due_at`)
) CHARACTER SET utf8mb4 COMMENT='An object in storage, or one to be, that no row points at. It is removed from `due_at` on.';
        CREATE TABLE IF NOT EXISTS `files` (
    `id` CHAR(36) NOT NULL PRIMARY KEY,
    `created_at` DATETIME(6) NOT NULL,
    `updated_at` DATETIME(6) NOT NULL,
    `filename` VARCHAR(255) NOT NULL,
    `content_type` VARCHAR(255) NOT NULL,
    `size` BIGINT NOT NULL,
    `sha256` VARCHAR(64),
    `status` VARCHAR(16) NOT NULL,
    `key` VARBINARY(800) NOT NULL,
    `user_id` CHAR(36) NOT NULL,
    KEY `idx_files_user_id_c5c13e` (`user_id`, `id`),
    KEY `idx_files_status_bcf599` (`status`, `created_at`)
) CHARACTER SET utf8mb4 COMMENT='A user\\'s file: its bytes are the object of `key` in storage.';"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        DROP TABLE IF EXISTS `stray_objects`;
        DROP TABLE IF EXISTS `files`;"""


MODELS_STATE = (
    "eJztXW1z2ziS/isofUmmSuOKX+Jkk7ursmc8O76biacc52Zv11sSRMISxhSgJSArurn89+"
    "tu8FUkFVK2FVrml0Qm0CDYDQLdT7/wz95U+yIwe5+MCHvv2J89xacCfuSu91mPz2bpVbxg"
    "+SigjnPoQVf4yNiQexYu3vDACLjkC+OFcmalVtj1o56KkfaXLwzjnqfnyu4hoa89oJRqXN"
    "HnWl2rofSFstIuB3PpD5k0zE4Em4X6DhpC6Cz990xabFDzIGCLiVCMq3gMtuCGjUOurPDZ"
    "SNzoUEBvw25kaOy1MnKsvpdqjw3FlMuAxl9MuM3dhBm+NH0GtMxM9AJG95kRPPQmMd3gVi"
    "yTuRlgJJMw9UAvgNjjyBGk0SpYMnmDs8VZ3YlQ3kiYFrbdhEK8wxYeaCVwqLmS/5oLavTg"
    "eUaC/aGlgu5W03DXyj21F8BUBI7OQEQCWc6MhplET0ETxI54CwYXtfKiCYViKqYjgdQ432"
    "EI9DBbf5A+FDyhF3A5NQNukyeUxsDMrITn1Dd0RYmFMHA/fQvcX0y0EcyRMWABdOVw/Vpp"
    "eGQY0MzNTCgf7jMCriFzkYT5EqZh++y6x/0pzKfHgOHXPbNU3nUPyPgdtzxMWM2ZsTrkY8"
    "HgCiyVoRNJKkIaReLShH4mkhg86HuYAb8TL78bAqWYGbopZ8DsEBffcD7zuaVmXwtYVdot"
    "ViePgdVjAU+M78w//gmXJTzIZ2Hwzz97IM7Ap989LxQwig9sQ2Lp47/GcjunVybU8A4huf"
    "g8C4UxIDQTjxi9iLia8XVbzuht61FneBj640uf5e5GAtvGjYhmC/eh8dI7bD4y+/3ns8sz"
    "huOxf2cvaFG86H1B6tntgO6Y2/7cg9H1QTzgp0/nP/5EPXHTGg08HcynKu09W9qJVkn3Oe"
    "xUe0iDbWOhRIgrIbM74nyjXTS+5FYXXLDhXCTLyk8v+OKGzwPcY3v/djNXHr3n0yVsz3uw"
    "XPkI3ts9+gdexYH0/yOaaoZsMPhwcTX4eHY1GPQKW3TEwuyOHF3ygN/AS6kssv3PL27clE"
    "F0tYc3+OHnk8uXh8ffEUu0seOQGol9vS9ECDMdpFJOuZ5/W/Lc/xFacK8pl0CeckUSfkS6"
    "F//YRCLxhVQk6SkXMzdm3yMwvAcP6F/A0RGthTUCuDr/9ezj1cmvv+Htpsb8KyD+nVydYc"
    "sBXV2uXH3p5AU7qeeO9WQQ9vv51c8M/2R/v/hwtirVpN/V3/Ht7fG51QOlFwPuZ5ZtfDXm"
    "Gr3nsdTdTruJ1POUndTbIvWYRxmxR7PP7rCpQleU+3+JZdVWmydbETowr4aYo1XZYLd9TB"
    "lP+edBINTYTuDP/YO3a4T83yeXtL1Cr+9yEoWG0/MPJ5f/8/L1/sGKUD9EVAeO7EtODInK"
    "kOf/DxMelgsgIXgQzn/r9yvH+8ODVzV4D70qGUxtJQxGdbXBIs/R7NoKb8blkhUOq7iRBI"
    "r2TANRlBM/97X/AFKJTYi6+07cf/dYf/D6dQ3WQ69K9lJbnr3Ozm3C4JRiIxZvpDr1Hss+"
    "WTlUXx0c1TlVoVv12UmNeSbPgE2NFnFCsIOruM7+seboLO4QKdLThMV5qh3k86PsFgmCU2"
    "TzmZpPidXnMCuuPFHcORLqLe4c3LPyTjTcP3qreHOt3eO4zt6xakpldo7jgkYSwVqbMDum"
    "3SKr55ET4OkxOosxNzoLV+h2bxt5eF4nDoLG2F2W8AFAnJbx/eliNkWojlxLG0F1ecqtSH"
    "mbJu5TFzI6Qm5uM6A8Xhhx73bBQ39QaNEHuqpvsWl6MF29whUfk4yQmzjPyN18MpNgifdK"
    "HNFRS3+dK5rPJOp9Nb3RJwyOtTvpiRcGfYd9tpCwKOfOXQoX0EEsgpuii7ouIfmtZ/NRIL"
    "1B1mnNQ8tGS7aYSG/CuKMwLND6VvhsPuuzoRFeKOxgws1kSDQffz75/uD1MfpZ0W3t2slb"
    "OxGfuS88OeXBHhve6HAqwoFrN0PG0etKflhyBJMXNtQW3yqGMyYftpVBwCY68Mm3zXFigX"
    "gH85ShuVZwS85wJtSZXMnoxHYTwXe1D/PAGWnlw8wk6Cxs/y9vXj2It/Q+rsTOt9f59h5Q"
    "C+68PJ1vr5N6Pd9ecug1ANpzNA9j3LbI6bF/UMurVwWuH71d49P7psh6696qLYBlnsZRCh"
    "z+z48XHyrghIRidR+TnmX/xwJp7BPk9RrWIi9ym1XM0Ze/nvxtldk//HJxuroL4QCnBZ9G"
    "ohY32FhWqHZwlR/XcW4cH1VtLmBYVC7/44LPI29iNHkLipTd23CPtwHsIgnNG6hWecoOcW"
    "uPJlVUoENxh7jABlLOU3ZSbrOUA27sYG42kvMqbSfptkm6LeDq3Jf2Ung6zONhJc39tTAr"
    "dhyE1LMm1nqhBPMmXI0jINJEWT5syn1RRFjXd0dc9ZySXhahtFYoymUheFKJO8y1IVLfZb"
    "dIy0JxI0LDrMYsjgnc453LX/FNjGPC5BH6pO7mWlkejgXc1vKlyySC7jJkoV4YglTHWok9"
    "NnSJREOiG/IbK8Khw1FxdCcUN//shK6V0hGAa/bYucXUJTamoRFHdvk0OOJY3gmHGAOf4a"
    "miHJtAjzeBVukJI+v6nsDqSo4GJ6Dy4cd1QniUKWcQxQ5h7hDmDmFu6YlaB2F2GxsJqyD1"
    "ehE1+RHajA+0JKome5bUBGGyJDsYTLPlpI30yK3P/oigzcv7KcBfkVZSvt9U8n+FageFcF"
    "jHwXFY6eCI343y5IEKITTagXI0OyiAg1f1ArArEzjevloXnF2IznbGTxP8N6W4F+7bspNg"
    "27Av2ZlN2J4QdFzfnOuhgMc25VtOtWc1T/Xc9Z66yo3vozXehM8Zkt1jchP1plqHaQkGeT"
    "G3I/35kmy5AgKZNvbX4Y+autUDHk/YH3rECNtj4k4o209AQ0mwHsieK+P04xhiy0KP0rKR"
    "CLQaI35YFgv6oOMjtHlF0OQq/PeeDeOSN1TW5lL48PNWIW6InUK9YKNlPwrARGhzJMYSay"
    "CJhQMWOZbnuVYJ0MOGyP6oiI7l5jb7GC9gVFhofTac8WWguT9kuC0yKz7bPXZCt3PzNwiv"
    "ovsBfl4rYAyWMhrDWmY3oZ6yYShsuKSyQVr1o6JJlnEjfRGzSCi/H4GfCHByY9lQhKEOhz"
    "WRzkZA3KkcnyvbAIqD13J1D4k2jPYGH41xCt//5eDg8PDNwavD47evj968ef321VvoS/Mt"
    "Nr1Zs82cnv/1/MNVfofBC+sBudLMvWoctDxl715AaK30phQKpXvhP0ethD4znIUH2hTuim"
    "nbbANtBHTV0UWqNZGCHlIeRldpX+5wFN1WARZMNixVs6s3jgzJPTaPlimBD7NRRKd3kZtX"
    "cJBXBOKmJDuxltf5Os7+drXeVEyW8y8XH/4ad1+1HztT8RuZip3Hr5r7O+zxA/NqOiuLPa"
    "3U67MkX9fuH0q8rx5Xuz/YP3pz9Pbw+ChR6pMr63T5WG/PRJKirdVks0oIdnCfelULR8du"
    "a0rFFOHy2AxuulFl6brIvrZF9uWzE+yAYI0NpLxK20m6bZJuCX76o8DE814JeBq19Nchpz"
    "71aRCzGYqxK52N6Igr6x1hmLO5mcR58O/zKCbD0uVok2GZcU4BjeUhng82OmXa0wBRznyU"
    "ap9JmycoFnu8c/+5QE4cFEayEywVH9dapzeETfkS7rpJqGXGHO1S2LsAwyJlZ260ZbvvUt"
    "ifo9RLDvlCCjsdEk1gs4SgA802AM3Sw7sB5J4n2rmaAVuF3WcBt5igu6lXKUvf5jegJSHU"
    "lLRnBCzfDRP+MrTbOVi6amqbwQLfzJ/1hI6Ur+jkBds7z90ia3/SoZBjFR8c2U1rhaErnz"
    "l7mixNr6bvacgXid2YXVDw7K4UI/H95OMPJz+eOUNz+2DGaai578Fu1ivBM9LG/jpIYxR3"
    "q131T2krb6TnUAeqeBcEzFUTJlzB9PEjapgVuuBLBkzVUfqnVCMN9n5ZENi9xyQEI0ohjc"
    "ALioMioAM/iwZaDtC/c6MxT0+T6KlsdiiO6JtNQAtX7dYdKBm7pUMvOvSiQy9aqn906MVz"
    "lHot9ELaqgrzFaZ0TNBm220rmVF105+0XxLcWg0Pxf13gr/bRofwTCsyuzrlKe7f1Rd7+E"
    "SzakWtKtHs2QdhZnXrJidwlq6LCGjPcduqiIAPGdOzV2JH59r760zprBHbIEZAKBsu0f6M"
    "HfP4NXY0a8ud/tXdo3r5ZkKLPkp1EpSQBBQudgHsYPyAu8CK81iXyX0EnXjC5srKAK1g/J"
    "A7jjP4Q48Scxp+XytXTUoICiSAq1NH7igdDf0egkXPNNrNNM0pX37bQICV+kWZgVGHfZh6"
    "+Sv3SASB3R6oYFJXhqnDGTqc4clZnB3O8Byl3uEMHc7QYhOhwxm2z/RHKq3CNytvzTvbuH"
    "1HRFEzyBkSTSScI+xk3HYZo7VdFPGa7/2kJLuXRrbtamwpdLHJW5ZSdq9Zm1+zLpasiyXr"
    "YslKYfDfYBur/rZBprW/DgKnzbDRlw1+R0R5JDy4H4LaOABwmVDjXFBYlLjmUGys+4+4tP"
    "tcgdNzEI4OhSudVUTOH+82JZj2P3KuALemcDwU+z9XAO9G4GtXegvbtlF6KxVYg7MiR9Sd"
    "Fisqlp5bDLssR7u+niCRIW8zNtOS/IiuJMUjf8TyaXlptrqBP024vo6TJnusNzwbSki7E2"
    "K9PbGqRN3TrlgN5HiaLP6qfVGy0NpkZ5z7YjrTVih76Sq29UrMjWKntVaHTLoPojJwDcJv"
    "bkUSTePxIKCIFforBI2jovDGV2gwEAfWJYXGRBOiahm3YoaVe+OyGntsyJVZRCkrFIKzmM"
    "hAuHrEER20zBUmqCz40gXbYIDOtRpO8GWIgm0MXxpXLpgCfihVhnkaWg3ez4cN+T0b4qfV"
    "MvkxON+orpcrRYwVO9yEqg0b97jYTI+KP4AZLof4XqZNF1fSxZV0EQYPr7J0cSW7JvU6cS"
    "XpNl3Tm5QStNm43tAA3GohiORcrMn5pH/H+PsxPtFD6vM+S9Kx/57rPirA3FAEq2SdGO4n"
    "BqfkN9GvU4oOkFhlZmJjNVWe8pQ7qDw9XWWpqCM7o7co4jXfhEsouo/CbR65OBJjvkkBpy"
    "zd7uHnT/3Nakle38el8n4L9Zg+bFeCMeba++vgRQM9B7Ns11rAIpJlsbvRkgrY4DTiwIIx"
    "YnAE2SEgRwSSitPMEK0txx7vP6zLEwSuDagAYJwoGDrgER70TvqUVoi7GAwmDH16LC6vk9"
    "TWQQR0HjK9UFFVHayzs+DmWnFzK3ys4/Pe9cZx0Hlr2I0Mjb3vV8m+6ZeFWlTgcAvfDK6G"
    "E9MFVBTFuo/jZKl2wde87RyLrqzAQ2n3uC2JsigrrQPBVTk3U6IVdo6A6rH0+OTKdnl5en"
    "HxS279np6vLtBPv56eXb7cJ3ZDJ2lz8VUdDP38YOiWqH8/SXragtpH19eqezfQo3YxxKgA"
    "A9K8Iz1stLTCfRuBfKyjP4RHmlL09VnFjAVRjEuUu/sMhirdCZsJ5WNUKw4A46CXWhry85"
    "J/lzMjxwoUs0+Xv9BXdqmMw3u4jitwiR2xlkSGQjkPt4Lxhzho8sHbhfv0rmFGkCZK7gMf"
    "rkTlJFzALA9pttz5y0P4MeN2sseGZsIPXh/TSBJmPhGfuS88OeVBphxFqpI6NsSDGkNRuK"
    "GejyfAslYVljCW2zktnq42Q+dD73zo7T/GOh/6c5R6HR96fOAVZV4dRZ2l2UFP1uNEUmtF"
    "oXvEqAa8XqXr+F2P30b+bwmf16UWxRTb+/LnjuQXZZhOGm+T5Z1S7AJKtrlHvJ7bO1W8N8"
    "ktSqnbvIm0JLUIjLkG4HvUu8183XRz3nKJgi55vUte32ZySTyBp5C9/hFmvbwgfKxX5uvN"
    "NPfXunqx48ABbXUxQBUDcyke10e0i1A0zUbwVwSmsVAv2ExLSsuwsbc2FFN9h+5SzN8Y+n"
    "NBxVt1SRL7490K8cPfJ5oGFYYZPRWWEuThLxHeCZcxgjAeOXAdSncrxAw/qhJ/SAUYpQx3"
    "iA9NI7n/tZL2PbmHYWbRN2OTxszdfGk8WAuGoEWCL6ORMkPvsY+a8EeCA6W5VrfSgY8KGG"
    "AXQig3vUwfpueERIKx6k36mPFPt4OXeWkyvGRzdQvGYGVef5ff8q038H6HzT0jlKbD5p6j"
    "1Otgc9/QBmlR/M+2LRCnMDR9z1KqLlazPa9Uq2I1T0QovUmZ5h61rFXaedrna9p6tWAfWN"
    "17LmWaDvaP3hy9PTw+StDT5Mo60PTrBZhAcTeldR+qEdMMyS7CTY/hC8CXqgGHo+47yN39"
    "Wkfp/przcr94XkYeqiKHqxNLMiRdUeyGqSXf9DD78v/hbMFI"
)
