// Written by codegen.ts from operations.graphql and schema.graphql.
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';
import { gql } from 'urql';
export type AcceptInvitationInput = {
  /** See `passwordPolicy`. */
  password: string;
  /** From the letter. */
  token: string;
};

export type ChangePasswordInput = {
  currentPassword: string;
  /** See `passwordPolicy`. */
  newPassword: string;
};

export type CompleteSecondFactorInput = {
  /** From `SecondFactorRequired`. */
  challenge: string;
  /** Six digits of the authenticator app, or a backup code. */
  code: string;
};

export type CreditTransactionKind =
  | 'ADJUSTMENT'
  | 'CAPTURE'
  | 'CLAWBACK'
  | 'EXPIRY'
  | 'GRANT'
  | 'PLAN_GRANT'
  | 'PURCHASE'
  | 'REFUND'
  | 'USE';

export type LoginInput = {
  /** User name or email address. */
  identifier: string;
  password: string;
};

export type RegisterInput = {
  email: string;
  /** BCP 47 language tag for letters; `en` by default. */
  locale?: string | null | undefined;
  /** See `passwordPolicy`. */
  password: string;
  /** 3 to 32 ASCII letters, digits, dots, hyphens or underscores, beginning with a letter. */
  username: string;
};

export type RequestEmailChangeInput = {
  newEmail: string;
  password: string;
};

export type ResetPasswordInput = {
  /** See `passwordPolicy`. */
  newPassword: string;
  /** From the letter. */
  token: string;
};

/** What is left out stays as it is; null clears. */
export type UpdateProfileInput = {
  /** Of `createAvatarUpload`, once the file is sent: it becomes the avatar. Not together with `avatarUrl`. */
  avatarUploadId?: string | number | null | undefined;
  /** https address of at most 2,000 characters. */
  avatarUrl?: string | null | undefined;
  /** At most 80 characters, none of them control characters. */
  displayName?: string | null | undefined;
  /** BCP 47 language tag; null means `en`. */
  locale?: string | null | undefined;
  /** IANA time zone; null means `UTC`. */
  timeZone?: string | null | undefined;
};

export type PasswordPolicyQueryVariables = Exact<{ [key: string]: never; }>;


export type PasswordPolicyQuery = { passwordPolicy: { minLength: number } };

export type RegisterMutationVariables = Exact<{
  input: RegisterInput;
}>;


export type RegisterMutation = { register: { accessToken: string | null, user: { id: string } | null } };

export type LoginMutationVariables = Exact<{
  input: LoginInput;
}>;


export type LoginMutation = { login:
    | { __typename: 'AuthPayload', accessToken: string, user: { id: string } }
    | { __typename: 'SecondFactorRequired', challenge: string }
   };

export type CompleteSecondFactorMutationVariables = Exact<{
  input: CompleteSecondFactorInput;
}>;


export type CompleteSecondFactorMutation = { completeSecondFactor:
    | { __typename: 'AdminAuthPayload' }
    | { __typename: 'AuthPayload', accessToken: string, user: { id: string } }
    | { __typename: 'StaffAuthPayload' }
   };

export type RequestPasswordResetMutationVariables = Exact<{
  email: string;
}>;


export type RequestPasswordResetMutation = { requestPasswordReset: { ok: boolean } };

export type ResendVerificationEmailMutationVariables = Exact<{
  email: string;
}>;


export type ResendVerificationEmailMutation = { resendVerificationEmail: { ok: boolean } };

export type VerifyEmailMutationVariables = Exact<{
  token: string;
}>;


export type VerifyEmailMutation = { verifyEmail: { user: { id: string } } };

export type ConfirmEmailChangeMutationVariables = Exact<{
  token: string;
}>;


export type ConfirmEmailChangeMutation = { confirmEmailChange: { user: { id: string } } };

export type UndoEmailChangeMutationVariables = Exact<{
  token: string;
}>;


export type UndoEmailChangeMutation = { undoEmailChange: { ok: boolean } };

export type ResetPasswordMutationVariables = Exact<{
  input: ResetPasswordInput;
}>;


export type ResetPasswordMutation = { resetPassword: { endedSessions: number } };

export type AcceptInvitationMutationVariables = Exact<{
  input: AcceptInvitationInput;
}>;


export type AcceptInvitationMutation = { acceptInvitation: { ok: boolean } };

export type RefreshTokenMutationVariables = Exact<{ [key: string]: never; }>;


export type RefreshTokenMutation = { refreshToken: { accessToken: string, user: { id: string } | null } };

export type CurrentSessionQueryVariables = Exact<{ [key: string]: never; }>;


export type CurrentSessionQuery = { currentSession: { id: string, user: { id: string, username: string, email: string, emailVerified: boolean } | null } };

export type LogoutMutationVariables = Exact<{ [key: string]: never; }>;


export type LogoutMutation = { logout: { ok: boolean } };

export type ReauthenticateMutationVariables = Exact<{
  password: string;
}>;


export type ReauthenticateMutation = { reauthenticate: { session: { id: string, authenticatedAt: string } } };

export type ProfileQueryVariables = Exact<{ [key: string]: never; }>;


export type ProfileQuery = { me: { id: string, username: string, email: string, displayName: string | null, locale: string, timeZone: string, hasTotp: boolean } };

export type UpdateProfileMutationVariables = Exact<{
  input: UpdateProfileInput;
}>;


export type UpdateProfileMutation = { updateProfile: { user: { id: string, displayName: string | null, locale: string, timeZone: string } } };

export type RequestEmailChangeMutationVariables = Exact<{
  input: RequestEmailChangeInput;
}>;


export type RequestEmailChangeMutation = { requestEmailChange: { ok: boolean } };

export type ChangePasswordMutationVariables = Exact<{
  input: ChangePasswordInput;
}>;


export type ChangePasswordMutation = { changePassword: { endedSessions: number } };

export type StartTotpEnrollmentMutationVariables = Exact<{ [key: string]: never; }>;


export type StartTotpEnrollmentMutation = { startTotpEnrollment: { secret: string, uri: string } };

export type ConfirmTotpEnrollmentMutationVariables = Exact<{
  code: string;
}>;


export type ConfirmTotpEnrollmentMutation = { confirmTotpEnrollment: { backupCodes: Array<string> } };

export type DisableTotpMutationVariables = Exact<{
  code: string;
}>;


export type DisableTotpMutation = { disableTotp: { ok: boolean } };

export type CreditsQueryVariables = Exact<{ [key: string]: never; }>;


export type CreditsQuery = { me: { id: string, creditAccount: { balance: number, held: number, available: number } } };

export type CreditHistoryQueryVariables = Exact<{
  after?: string | null | undefined;
}>;


export type CreditHistoryQuery = { me: { id: string, creditAccount: { transactions: { nodes: Array<{ id: string, kind: CreditTransactionKind, amount: number, balanceAfter: number, description: string | null, createdAt: string }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } } };

export type SessionsQueryVariables = Exact<{ [key: string]: never; }>;


export type SessionsQuery = { me: { id: string, sessions: { totalCount: number, nodes: Array<{ id: string, createdAt: string, lastUsedAt: string, ip: string | null, userAgent: string | null, current: boolean }> } } };

export type RevokeSessionMutationVariables = Exact<{
  id: string | number;
}>;


export type RevokeSessionMutation = { revokeSession: { ok: boolean } };

export type RevokeOtherSessionsMutationVariables = Exact<{ [key: string]: never; }>;


export type RevokeOtherSessionsMutation = { revokeOtherSessions: { endedSessions: number } };


export const PasswordPolicyDocument = gql`
    query PasswordPolicy {
  passwordPolicy {
    minLength
  }
}
    ` as unknown as DocumentNode<PasswordPolicyQuery, PasswordPolicyQueryVariables>;
export const RegisterDocument = gql`
    mutation Register($input: RegisterInput!) {
  register(input: $input) {
    accessToken
    user {
      id
    }
  }
}
    ` as unknown as DocumentNode<RegisterMutation, RegisterMutationVariables>;
export const LoginDocument = gql`
    mutation Login($input: LoginInput!) {
  login(input: $input) {
    __typename
    ... on AuthPayload {
      accessToken
      user {
        id
      }
    }
    ... on SecondFactorRequired {
      challenge
    }
  }
}
    ` as unknown as DocumentNode<LoginMutation, LoginMutationVariables>;
export const CompleteSecondFactorDocument = gql`
    mutation CompleteSecondFactor($input: CompleteSecondFactorInput!) {
  completeSecondFactor(input: $input) {
    __typename
    ... on AuthPayload {
      accessToken
      user {
        id
      }
    }
  }
}
    ` as unknown as DocumentNode<CompleteSecondFactorMutation, CompleteSecondFactorMutationVariables>;
export const RequestPasswordResetDocument = gql`
    mutation RequestPasswordReset($email: EmailAddress!) {
  requestPasswordReset(email: $email) {
    ok
  }
}
    ` as unknown as DocumentNode<RequestPasswordResetMutation, RequestPasswordResetMutationVariables>;
export const ResendVerificationEmailDocument = gql`
    mutation ResendVerificationEmail($email: EmailAddress!) {
  resendVerificationEmail(email: $email) {
    ok
  }
}
    ` as unknown as DocumentNode<ResendVerificationEmailMutation, ResendVerificationEmailMutationVariables>;
export const VerifyEmailDocument = gql`
    mutation VerifyEmail($token: String!) {
  verifyEmail(token: $token) {
    user {
      id
    }
  }
}
    ` as unknown as DocumentNode<VerifyEmailMutation, VerifyEmailMutationVariables>;
export const ConfirmEmailChangeDocument = gql`
    mutation ConfirmEmailChange($token: String!) {
  confirmEmailChange(token: $token) {
    user {
      id
    }
  }
}
    ` as unknown as DocumentNode<ConfirmEmailChangeMutation, ConfirmEmailChangeMutationVariables>;
export const UndoEmailChangeDocument = gql`
    mutation UndoEmailChange($token: String!) {
  undoEmailChange(token: $token) {
    ok
  }
}
    ` as unknown as DocumentNode<UndoEmailChangeMutation, UndoEmailChangeMutationVariables>;
export const ResetPasswordDocument = gql`
    mutation ResetPassword($input: ResetPasswordInput!) {
  resetPassword(input: $input) {
    endedSessions
  }
}
    ` as unknown as DocumentNode<ResetPasswordMutation, ResetPasswordMutationVariables>;
export const AcceptInvitationDocument = gql`
    mutation AcceptInvitation($input: AcceptInvitationInput!) {
  acceptInvitation(input: $input) {
    ok
  }
}
    ` as unknown as DocumentNode<AcceptInvitationMutation, AcceptInvitationMutationVariables>;
export const RefreshTokenDocument = gql`
    mutation RefreshToken {
  refreshToken {
    accessToken
    user {
      id
    }
  }
}
    ` as unknown as DocumentNode<RefreshTokenMutation, RefreshTokenMutationVariables>;
export const CurrentSessionDocument = gql`
    query CurrentSession {
  currentSession {
    id
    user {
      id
      username
      email
      emailVerified
    }
  }
}
    ` as unknown as DocumentNode<CurrentSessionQuery, CurrentSessionQueryVariables>;
export const LogoutDocument = gql`
    mutation Logout {
  logout {
    ok
  }
}
    ` as unknown as DocumentNode<LogoutMutation, LogoutMutationVariables>;
export const ReauthenticateDocument = gql`
    mutation Reauthenticate($password: String!) {
  reauthenticate(password: $password) {
    session {
      id
      authenticatedAt
    }
  }
}
    ` as unknown as DocumentNode<ReauthenticateMutation, ReauthenticateMutationVariables>;
export const ProfileDocument = gql`
    query Profile {
  me {
    id
    username
    email
    displayName
    locale
    timeZone
    hasTotp
  }
}
    ` as unknown as DocumentNode<ProfileQuery, ProfileQueryVariables>;
export const UpdateProfileDocument = gql`
    mutation UpdateProfile($input: UpdateProfileInput!) {
  updateProfile(input: $input) {
    user {
      id
      displayName
      locale
      timeZone
    }
  }
}
    ` as unknown as DocumentNode<UpdateProfileMutation, UpdateProfileMutationVariables>;
export const RequestEmailChangeDocument = gql`
    mutation RequestEmailChange($input: RequestEmailChangeInput!) {
  requestEmailChange(input: $input) {
    ok
  }
}
    ` as unknown as DocumentNode<RequestEmailChangeMutation, RequestEmailChangeMutationVariables>;
export const ChangePasswordDocument = gql`
    mutation ChangePassword($input: ChangePasswordInput!) {
  changePassword(input: $input) {
    endedSessions
  }
}
    ` as unknown as DocumentNode<ChangePasswordMutation, ChangePasswordMutationVariables>;
export const StartTotpEnrollmentDocument = gql`
    mutation StartTotpEnrollment {
  startTotpEnrollment {
    secret
    uri
  }
}
    ` as unknown as DocumentNode<StartTotpEnrollmentMutation, StartTotpEnrollmentMutationVariables>;
export const ConfirmTotpEnrollmentDocument = gql`
    mutation ConfirmTotpEnrollment($code: String!) {
  confirmTotpEnrollment(code: $code) {
    backupCodes
  }
}
    ` as unknown as DocumentNode<ConfirmTotpEnrollmentMutation, ConfirmTotpEnrollmentMutationVariables>;
export const DisableTotpDocument = gql`
    mutation DisableTotp($code: String!) {
  disableTotp(code: $code) {
    ok
  }
}
    ` as unknown as DocumentNode<DisableTotpMutation, DisableTotpMutationVariables>;
export const CreditsDocument = gql`
    query Credits {
  me {
    id
    creditAccount {
      balance
      held
      available
    }
  }
}
    ` as unknown as DocumentNode<CreditsQuery, CreditsQueryVariables>;
export const CreditHistoryDocument = gql`
    query CreditHistory($after: String) {
  me {
    id
    creditAccount {
      transactions(first: 5, after: $after) {
        nodes {
          id
          kind
          amount
          balanceAfter
          description
          createdAt
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
}
    ` as unknown as DocumentNode<CreditHistoryQuery, CreditHistoryQueryVariables>;
export const SessionsDocument = gql`
    query Sessions {
  me {
    id
    sessions(first: 20) {
      totalCount
      nodes {
        id
        createdAt
        lastUsedAt
        ip
        userAgent
        current
      }
    }
  }
}
    ` as unknown as DocumentNode<SessionsQuery, SessionsQueryVariables>;
export const RevokeSessionDocument = gql`
    mutation RevokeSession($id: ID!) {
  revokeSession(id: $id) {
    ok
  }
}
    ` as unknown as DocumentNode<RevokeSessionMutation, RevokeSessionMutationVariables>;
export const RevokeOtherSessionsDocument = gql`
    mutation RevokeOtherSessions {
  revokeOtherSessions {
    endedSessions
  }
}
    ` as unknown as DocumentNode<RevokeOtherSessionsMutation, RevokeOtherSessionsMutationVariables>;
