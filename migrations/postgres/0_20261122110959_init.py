from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "users" (
    "id" UUID NOT NULL PRIMARY KEY,
    "created_at" TIMESTAMPTZ NOT NULL,
    "updated_at" TIMESTAMPTZ NOT NULL,
    "identity_uid" VARCHAR(128) UNIQUE,
    "email" VARCHAR(320),
    "email_key" VARCHAR(320) UNIQUE,
    "name" VARCHAR(255),
    "phone" VARCHAR(20),
    "avatar_key" VARCHAR(255),
    "status" VARCHAR(16) NOT NULL,
    "role" VARCHAR(16) NOT NULL,
    "suspended_by" VARCHAR(16),
    "claims_at" TIMESTAMPTZ,
    "deleted_at" TIMESTAMPTZ
);
CREATE INDEX IF NOT EXISTS "idx_users_email_133a6f" ON "users" ("email");
CREATE INDEX IF NOT EXISTS "idx_users_deleted_f27077" ON "users" ("deleted_at");
CREATE INDEX IF NOT EXISTS "idx_users_created_eeb5e9" ON "users" ("created_at", "id");
COMMENT ON TABLE "users" IS 'Somebody''s account.';
CREATE TABLE IF NOT EXISTS "aerich" (
    "id" SERIAL NOT NULL PRIMARY KEY,
    "version" VARCHAR(255) NOT NULL,
    "app" VARCHAR(100) NOT NULL,
    "content" JSONB NOT NULL
);"""


async def downgrade(db: BaseDBAsyncClient) -> str:
    return """
        """


MODELS_STATE = (
    "eJztmetT4zYQwP8Vjb+Um+EyEB7HXDudCRydS1tCB0If13SMYimJii3lJJmQofzv3VX8iO"
    "0kxBS4g+kXiPchr367evrWixTjoWlcGK699+TWkzTi8KMg3yQeHY9zKQos7YfOMAYLJ6F9"
    "YzUNLAgHNDQcRIybQIuxFUqi6bmKeF+x6TeG0CBQsbQNdGQqAE8hh0tserInLwXj0go79W"
    "PBLokwxI44GWt1DQoNxoJ9S4RFhYzDkExGXBIq0zbIhBoy1FRazkifD5TmYG3IQGhje9KI"
    "oXwrZINc8oiK0LU/GVFbeAkxdGo2CfgSM1ITaJ0Rw6kORqmff8WnWWwGQBIBoYdqAs4BRS"
    "Loo2Q4JWKA0WJU11yLgYCwUDfQnL9HDQ2V5NhULMXnmDtlAP3pc/K3EhLMrXLN9eSs10EI"
    "oXBsnUCKOCInRkEkSS9cgGiIryAgVDLgEHgQUhEZn9oscGEMvNAKCF8NehJFkk+4gXbUFV"
    "CdjJThZOZHoGtgS1GuoCfQoInNmEvGmd8HGMgMPQgTDPq1SXoeZRFg8YjSkFjPTGXQ88CP"
    "XlNLdYaQEmOVpkNOQOLKZEbCt2rIISas1j//ArGAd91wg4+3HoAMmfvtBZpTyDb0DJ0F89"
    "CY34w1NwbgmNQ/KXisGizr6dhVteeMoZ7dwx0ajq9813xhmEC7oHJyP/W9uGh/+MFZYnH3"
    "/UCFcSRz6/HUjpTMzGOo6Ab6oG7IJdcY99wowtCS0ZaKZixAYHXMMwgsFzA+oHGIY9H7bh"
    "DLwNVDNIVh3GDAuQ/V2HB/ILW+YN8noc65+X7ntOufH3d936sM5YTW/MhNRAGgBWxCWiR8"
    "ezdrNwfkpB6+4Ohj62xjZ/+NQ6KMHWqndPi8O+cIkfp5SnPqxdwW6X8ADRbv4gwUPUuZYI"
    "lrI/3xkIykgjwl+WyYwk3xPQFwDzrITmGKSWphRQK67ZPj827r5Bd8XWTM59Dxa3WPUdN0"
    "0mlJujHLF4zMYDb9Z42Q39rdjwQfyafTznE5q5ld95OHMdHYKl+qiU/ZXNmm0pQaWOZZj8"
    "fsgVkvev6f9a8l6ymjubQn0c/PsPnCX837T3y6bKotupWSDvDWSHNSlTVm26fMcURv/JDL"
    "oR3B43bzYEWSf22duekVrN4UMgqKw3andfbHxt52s5TUTuLVnLndFdLg9g9V/kcjqhcnIH"
    "N4FPLV8fXl0O80t9ZAD1ZL+TrdAr64+6lR4wWf11bg9SgvKHAo4loZcP9rFHhq/0T1/bzr"
    "RwF9c29vDfRgtRSv0xXxjgFSLb6ZwysEvE5pr5g/qsWbn57qIC56vULOT1HIxlIbm8WYj2"
    "UcOdRtiIrCCbuCPPd+EO4HbTw9Cue/6zSWdZl75buZtbYl++vsSsrbybmdx34Zt1bhkmnj"
    "ftip7zOijpMLs5cHev7ips4kUvZ7fdPI47PObt1q31/MOz7CQfYr4/5yz63V6wp3Dfug64"
    "qi57Nk+Tn3+S89yXgZPLiau5hEQZ8GVxOqmV/RqKZaZltVRc2oLKGSDl2OkCbGmXyaaXEt"
    "gpG34KNNotlc9dmG5jb3fbdZntj7r+RrXZy3pa1xbw7lVC79pIr/24X5Uy4rQwzhbXN799"
    "3uwc7+7gGYuDAzybsVg6Pd6d5zL37NNX7bqLN6z7k83y7pZR8AcFDVIJyYv0K621vrnGPB"
    "avnOaKtykoU3Wi4XrJk/np92lmyKcpfyYikCS/4hoTCVueIF0F4BF2EU1siU6cZJ6/cy7q"
    "OfTw/Lix82cAjov+hidvcv0XBqTw=="
)
